"""Commands for a person at a terminal: calls, logs, keys, and checks of the audit log.

May import: transport, and those parts of actors that only read.
"""
