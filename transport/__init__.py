"""Moves messages between processes: clients, router socket, codec, CURVE.

May import: no other package of this repository.
"""
