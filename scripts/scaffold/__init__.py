"""Writes the beginning of a function: its entry, its file, its test (scripts/new).

May import: scripts.codegen, actors.guidance, actors.registry.
"""
