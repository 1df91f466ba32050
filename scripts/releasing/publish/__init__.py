"""Publishes signed releases as a TUF repository, in a folder or a bucket, and verifies them.

May import: scripts.releasing.bundle, scripts.releasing.problem, scripts.cli, actors; the distribution tuf.
"""
