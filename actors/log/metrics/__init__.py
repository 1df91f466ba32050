"""Counts, timings, Prometheus, OpenTelemetry.

May import: the modules of actors.log, and what they may import.
"""
