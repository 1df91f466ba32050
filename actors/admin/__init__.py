"""Administration: its messages, its secrets, its index.

May import: everything in actors but actors.assembly and the entry points.
"""
