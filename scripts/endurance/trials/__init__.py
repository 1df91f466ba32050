"""The trials, one in each file.

May import: scripts.endurance.
"""
