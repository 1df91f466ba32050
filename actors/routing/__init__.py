"""The table that requests are routed by: which version is served, its code, its failures.

May import: actors.index and what that may import.
"""
