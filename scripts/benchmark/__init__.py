"""Measures Tenantry beside a hand-written baseline and FastAPI (scripts/bench).

May import: actors, transport.
"""
