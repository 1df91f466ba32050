"""The tenants' files: create, open, migrate, archive, delete.

May import: actors.tenant.database, actors.host, actors.runtime.
"""
