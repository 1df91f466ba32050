"""Requests in directory.db: their rows, their links to versions, and the commands about them.

May import: the repository and tables of the directory, and what those may import.
"""
