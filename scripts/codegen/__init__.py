"""Writes AsyncAPI, JSON Schema, a typed client, types and a page from the index (scripts/schema).

May import: actors.index, actors.schema, actors.guidance.
"""
