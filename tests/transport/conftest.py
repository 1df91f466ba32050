"""Servers for the clients' tests, and sockets with bounds."""

from tests.transport.peer import peers
from tests.transport.socket_harness import make

__all__ = ["make", "peers"]
