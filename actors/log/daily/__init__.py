"""The tenants' logs and the error log: one file a day, compressed, searched, followed.

May import: the modules of actors.log, actors.log.audit and actors.log.metrics, and what these may import.
"""
