"""Commands for a person at a terminal: calls, logs, keys, and checks of the audit log.

May import: transport, those parts of actors that only read, and scripts.endurance for a proof.
"""
