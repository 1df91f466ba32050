"""The actor that owns registry.toml while the server runs: reload, move, publish, trip.

May import: actors.log, actors.watchdog, actors.routing and what these may import.
"""
