"""The JSON Schema dialect of the index: normalise, validate, put what is wrong in words, make examples.

May import: actors.errors.
"""
