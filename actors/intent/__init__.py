"""What callers are about: signals of bad intent, the leaky buckets that count them, and the ladder of steps.

May import: actors.errors, actors.messages, actors.runtime.
"""
