"""One trial a file.

May import: scripts.endurance.
"""
