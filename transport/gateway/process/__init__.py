"""A process that serves HTTP: what it is told, where it listens, how it starts and stops.

May import: transport, and the connections and server link of transport.gateway; nothing that is served.
"""
