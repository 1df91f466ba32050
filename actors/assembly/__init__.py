"""Puts the parts together; the only package that may import all of them.

May import: everything in actors but the entry points.
"""
