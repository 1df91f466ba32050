"""A process that serves HTTP: what it is told, where it listens, how it starts and stops.

May import: transport, with the connections and the server link of transport.gateway, and nothing that is served.
"""
