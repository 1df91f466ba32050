"""Starts, restarts, evicts and retires actors: a supervisor with a resident set.

May import: actors.log, actors.replies, actors.runtime and what these may import.
"""
