"""The audit log of administration: a hash chain of JSON lines that is checked when it is opened.

May import: the modules of actors.log, and what they may import.
"""
