"""The admin channel: one call from its decoded form to its recorded reply.

May import: actors.admin.messages, actors.edge and what that may import.
"""
