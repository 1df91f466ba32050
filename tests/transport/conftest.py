"""Servers for the clients' tests, and sockets with bounds."""

from tests.transport.house import make
from tests.transport.peer import peers

__all__ = ["make", "peers"]
