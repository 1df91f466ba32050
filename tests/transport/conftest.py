"""Servers for the clients' tests."""

from tests.transport.peer import peers

__all__ = ["peers"]
