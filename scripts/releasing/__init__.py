"""Releases: builds of chosen functions, their signed publication, and deploys of them.

May import: actors, scripts.cli, scripts.codegen, transport.
"""
