"""The actor model and nothing else: actors, mailboxes, threads, futures, timers, rate limits; no tenants.

May import: actors.errors, actors.messages.
"""
