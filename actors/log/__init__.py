"""What every log shares: its messages, redaction, line formats, append-only files.

May import: actors.watchdog, actors.routing, actors.runtime, actors.host and what these may import.
"""
