"""Moves messages between processes: clients, router socket, codec, CURVE; it knows no actor.

May import: nothing of ours.
"""
