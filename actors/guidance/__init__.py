"""Texts for developers, made from the index: tasks, instructions, commands, schema tables.

May import: actors.index and what that may import.
"""
