"""The pages: each reads what its caller may see over the admin channel, and draws it.

May import: scripts.cli and the rest of scripts.web but its application, its process and its settings.
"""
