"""The actor that migrates the tenants of a running server, one after another, by the Directory's ledger.

May import: actors.admin's messages, actors.supervision, actors.tenant.storage and what these may import.
"""
