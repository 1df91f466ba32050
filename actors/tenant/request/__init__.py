"""One request from its decoded form to its committed reply.

May import: actors.tenant.storage, actors.tenant.database, actors.tenant.context.
"""
