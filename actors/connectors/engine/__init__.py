"""How one call is run: queue, deadline, retries, circuit breaker, instances, journal.

May import: actors.connectors.contract, actors.connectors.outbound.
"""
