"""registry.toml as typed, immutable entries; pure: no actor, no server.

May import: actors.schema, actors.host, actors.settings, actors.messages, actors.errors, actors.access.
"""
