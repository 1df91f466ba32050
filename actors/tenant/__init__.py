"""One tenant: one actor, one SQLite file, one transaction a turn.

May import: actors.registry, actors.supervision, actors.log, actors.replies and what these may import.
"""
