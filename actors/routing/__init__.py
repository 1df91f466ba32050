"""The table that requests are routed by: which version is served, its code, its health.

May import: actors.index and what that may import.
"""
