"""The one SQLite connection of a tenant, the engine's own tables, and the SQL that functions may run.

May import: actors.tenant.context, actors.host, actors.errors.
"""
