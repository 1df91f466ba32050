"""Deploys a release to a running environment, watches it, and takes it back.

May import: scripts.releasing.publish, scripts.releasing.bundle, scripts.releasing.problem, scripts.cli,
actors, transport.
"""
