"""What a person types at a terminal of a running server.

May import: transport, and what actors has that only reads.
"""
