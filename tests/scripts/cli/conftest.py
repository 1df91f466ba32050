"""Servers for the tests of commands that call one."""

from tests.transport.peer import peers

__all__ = ["peers"]
