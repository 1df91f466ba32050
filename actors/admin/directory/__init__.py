"""The Directory actor: people, tenants, tokens and settings in directory.db.

May import: actors.admin.messages, actors.admin.secrets, actors.registry, actors.runtime.
"""
