"""Thin commands for people; what they do is importable."""
