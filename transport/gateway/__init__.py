"""Serves the message API over HTTP and WebSocket, as a process of its own and a client of the router.

May import: the other modules of transport, none of which may import this package.
"""
