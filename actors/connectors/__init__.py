"""Outside services: the contract for authors, the built-in connectors, the actor that runs them.

May import: actors.registry, actors.supervision, actors.log and what these may import.
"""
