"""The data channel: frames in, authentication, admission, routing to tenants, built-in actions, frames out.

May import: actors.registry, actors.supervision, actors.log, actors.replies and what these may import.
"""
