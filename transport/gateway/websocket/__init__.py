"""WebSockets of the gateway: the handshake, one connection, and all that are open.

May import: transport, and the other modules of the gateway but its application and its command line.
"""
