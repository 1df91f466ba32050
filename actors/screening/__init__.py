"""Screening of input: what an attack looks like, found in a text by patterns in linear time.

May import: actors.errors, actors.schema.
"""
