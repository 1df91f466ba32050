"""What administration offers for releases to a running server.

May import: actors.admin.console.context, actors.admin.messages, actors.admin.migration_messages,
actors.admin.rollout, actors.registry's messages, actors.host.
"""
