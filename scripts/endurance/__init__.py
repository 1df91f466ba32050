"""Parts of every trial: a server, load, connections, fake services, a verdict (scripts/endure).

May import: scripts.benchmark, actors, transport.
"""
