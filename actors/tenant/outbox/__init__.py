"""Deliveries after the commit: relay, attempts, wake-up, questions of administration.

May import: actors.tenant.request and what that may import.
"""
