"""Binds a server's sockets: who may connect, and what one connection may do to the others.

Only `bind_router` makes a server's socket. It refuses an address that others can
reach unless CURVE is on, and sets every option before binding, because an option set later holds only
for later connections.
"""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from transport.curve import InvalidKeys, private_umask, read_clients, read_pair
from transport.socket_file import MAX_PATH_BYTES, is_served, path_of
from transport.validation import Limits

HANDSHAKE_MS = 2_000
"""A connection that has not finished its greeting by then is closed. At ZeroMQ's 30 s, silent
connections starve real ones at the limit of open files."""

KEEPALIVE = {
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 15,
    zmq.TCP_KEEPALIVE_INTVL: 5,
    zmq.TCP_KEEPALIVE_CNT: 3,
}
"""TCP keepalive, which disconnects a peer whose machine is gone: seconds of silence before the first probe,
seconds between probes, and the number of probes."""

MAX_SENDING = 1_000
"""Replies that ZeroMQ queues for one peer; the sender keeps further ones."""

MAX_RECEIVING = 0
"""Requests that ZeroMQ queues from one peer; 0 is no limit. `Connections` limits their bytes."""

LINGER_MS = 1_000
"""Milliseconds for which closing waits for replies that are on their way."""

BACKLOG = 1_024
"""Connections that may wait to be accepted: after a restart all clients connect at once."""

ZAP_DOMAIN = b"tenantry"

SETTING = "TENANTRY_ENDPOINT (--endpoint)"
"""The setting of the data channel's address, for messages."""

ADMIN_SETTING = "TENANTRY_ADMIN_ENDPOINT (--admin-endpoint)"
"""The setting of the admin channel's address, for messages."""

_GIVE_KEYS = (
    "make a key pair with scripts/keys server and give it with TENANTRY_CURVE_KEYS (--curve-keys)"
)


class SocketProblem(ValueError):
    """A socket cannot be set up as configured. The message names the setting and what to do."""


class UnsafeEndpoint(SocketProblem):
    """Other users or machines could reach this address without encryption."""


class UnusableEndpoint(SocketProblem):
    """The address cannot be bound: it is in use, belongs to another machine, or is not an address."""


class Security:
    """The CURVE keys of a server and of the clients that it admits; without keys nothing is encrypted."""

    def __init__(
        self, pair: tuple[bytes, bytes] | None = None, clients: Mapping[bytes, str] | None = None
    ) -> None:
        """`pair` is the server's public and secret key; `clients` the allowed keys and their owners."""
        self._pair = pair
        self._clients = clients
        self._handler: _ZapHandler | None = None

    @classmethod
    def from_files(cls, keys: Path | None, clients: Path | None) -> Security:
        """Read a key_secret certificate and a directory of *.key certificates; InvalidKeys."""
        if keys is None:
            if clients is not None:
                raise InvalidKeys(
                    f"{clients} lists client keys but the server has no key of its own: "
                    "give it one with TENANTRY_CURVE_KEYS (--curve-keys)"
                )
            return cls()
        return cls(read_pair(keys), None if clients is None else read_clients(clients))

    @property
    def curve(self) -> bool:
        """Whether connections are encrypted."""
        return self._pair is not None

    def protect(self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes]) -> None:
        """Turn CURVE on for a socket that is not bound yet, and start the handler that admits keys.

        With ZAP_ENFORCE_DOMAIN no key is admitted while no handler answers; without it every key would be.
        """
        if self._pair is None:
            return
        socket.zap_domain = ZAP_DOMAIN
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.curve_publickey, socket.curve_secretkey = self._pair
        socket.curve_server = True
        if self._handler is None:
            self._handler = _ZapHandler(context, self._clients)
            self._handler.start()

    def close(self) -> None:
        """Stop the handler that admits keys; open connections stay. Call before the context is destroyed."""
        if self._handler is not None:
            self._handler.stop()
            self._handler = None


def bind_router(
    context: zmq.Context[zmq.Socket[bytes]],
    endpoint: str,
    security: Security,
    limits: Limits,
    *,
    admin: bool = False,
) -> zmq.Socket[bytes]:
    """Make and bind the socket of the data channel, or with `admin` of the admin channel.

    A file that a killed server left at an ipc endpoint is replaced. Raises UnsafeEndpoint, UnusableEndpoint.
    """
    require_safe(endpoint, curve=security.curve, admin=admin)
    require_unused(endpoint, admin=admin)
    socket = context.socket(zmq.ROUTER)
    try:
        set_options(socket, limits, ipv6="[" in endpoint)
        # A user who may open the admin socket file may read the server's keys too.
        if not (admin and path_of(endpoint)):
            security.protect(context, socket)
        with private_umask():
            socket.bind(endpoint)
        _restrict_permissions(endpoint_of(socket))
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise UnusableEndpoint(_cannot_bind(endpoint, error.errno or 0, admin=admin)) from error
    return socket


def endpoint_of(socket: zmq.Socket[bytes]) -> str:
    """Return the address of a bound socket, with the chosen port in place of `*` or 0."""
    endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    return endpoint.decode()


def set_options(socket: zmq.Socket[bytes], limits: Limits, *, ipv6: bool = False) -> None:
    """Set every option of a server's ROUTER socket but its keys. Call before bind.

    libzmq 4.3.5 ends the process (`!_io_error`) if a timer or a heartbeat finds a connection that was reset
    while nothing was read from it. So there are no heartbeats and reading never stops: the kernel finds dead
    peers, and `Connections` limits the bytes that peers send.
    """
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # a reply to a peer that is gone is an error
    socket.setsockopt(zmq.ROUTER_HANDOVER, 0)  # no peer takes over another's routing id
    socket.setsockopt(zmq.MAXMSGSIZE, 4 * limits.body_bytes)  # longer: the peer is dropped
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 0)
    for option, value in KEEPALIVE.items():
        socket.setsockopt(option, value)
    socket.setsockopt(zmq.SNDHWM, MAX_SENDING)
    socket.setsockopt(zmq.RCVHWM, MAX_RECEIVING)
    socket.setsockopt(zmq.LINGER, LINGER_MS)
    socket.setsockopt(zmq.BACKLOG, BACKLOG)
    socket.setsockopt(zmq.IPV6, int(ipv6))


def require_safe(endpoint: str, *, curve: bool, admin: bool = False) -> None:
    """Raise UnsafeEndpoint for an address that others can reach, unless CURVE is on.

    Local addresses are a numeric loopback address, a socket file, and inproc. Host names are refused, because
    they may resolve to any address. The admin channel also refuses loopback, to which every user of the
    machine can connect.
    """
    _require_address(endpoint)
    scheme, _, address = endpoint.partition("://")
    if curve or scheme == "inproc" or (scheme == "ipc" and not address.startswith("@")):
        return
    if scheme == "ipc":
        raise UnsafeEndpoint(
            f"refusing to bind {endpoint} without CURVE: an abstract socket has no mode, anyone on "
            "this machine can connect; use a socket file, ipc://path"
        )
    if admin:
        raise UnsafeEndpoint(
            f"refusing to bind the admin channel to {endpoint} without CURVE: every user of this machine "
            "can connect to a TCP port, on loopback too, and administrators' tokens would cross it "
            "unencrypted. Use a socket file, ipc://path, which only the server's user may open (without "
            f"{ADMIN_SETTING} it is admin.sock in the data directory), or {_GIVE_KEYS}"
        )
    if not is_loopback(address.rpartition(":")[0]):
        raise UnsafeEndpoint(
            f"refusing to bind {endpoint} without CURVE: others could read and alter messages. "
            f"Bind a numeric loopback address such as tcp://127.0.0.1:5570, or {_GIVE_KEYS}"
        )


def require_unused(endpoint: str, *, admin: bool = False) -> None:
    """Raise UnusableEndpoint if binding a socket file would fail or do harm.

    ZeroMQ removes any file at the path before it binds, even the socket of a server that listens there.
    """
    path = path_of(endpoint)
    if path is None:
        return
    setting = ADMIN_SETTING if admin else SETTING
    length = len(os.fsencode(path))
    if length > MAX_PATH_BYTES:
        raise UnusableEndpoint(
            f"cannot bind {endpoint}: its path has {length} bytes, and a socket file's may have "
            f"{MAX_PATH_BYTES}; "
            f"{setting} takes a shorter one, such as ipc:///run/tenantry/{'admin' if admin else 'data'}.sock"
        )
    try:
        if not path.is_socket() and (path.exists() or path.is_symlink()):
            raise UnusableEndpoint(
                f"cannot bind {endpoint}: {path} is there and is no socket. Move it away, or give "
                f"{setting} another path"
            )
        if is_served(path):
            raise UnusableEndpoint(
                f"cannot bind {endpoint}: another server listens there. Stop it, or give {setting} "
                "another path"
            )
    except OSError as error:
        raise UnusableEndpoint(_cannot_bind(endpoint, error.errno or 0, admin=admin)) from error


class _ZapHandler(ThreadAuthenticator):
    """Admits client keys for ZeroMQ, in a thread of its own (RFC 27)."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], clients: Mapping[bytes, str] | None
    ) -> None:
        super().__init__(context)
        self._clients = clients
        self.configure_curve_callback(ZAP_DOMAIN.decode(), self)

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002 - pyzmq calls it with both
        """Return whether a key, in Z85, is admitted; every key is if no list was given."""
        return self._clients is None or key in self._clients

    def curve_user_id(self, client_public_key: bytes) -> str:
        """Return the name that ZeroMQ attaches to every frame of the connection."""
        key = z85.encode(client_public_key)
        return key.decode() if self._clients is None else self._clients[key]


def _require_address(endpoint: str) -> None:
    """Raise UnusableEndpoint for an address that no server can bind."""
    scheme, _, address = endpoint.partition("://")
    host, _, port = address.rpartition(":")
    if (
        scheme not in ("tcp", "ipc", "inproc")
        or not address
        or (scheme == "tcp" and not (host and _is_port(port)))
    ):
        raise UnusableEndpoint(
            f"{endpoint!r} is no endpoint to bind: write tcp://127.0.0.1:5570 or ipc://path"
        )


def _is_port(text: str) -> bool:
    """Return whether ZeroMQ binds this very port: of a number past 65535 it keeps 16 bits."""
    return text == "*" or (text.isdecimal() and text.isascii() and int(text) <= 65535)


def is_loopback(host: str) -> bool:
    """Return whether a host is a numeric loopback address, in brackets or without."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _restrict_permissions(endpoint: str) -> None:
    """Make a socket file its owner's alone: connecting to it needs the right to write."""
    if path := path_of(endpoint):
        path.chmod(0o600)


def _cannot_bind(endpoint: str, number: int, *, admin: bool) -> str:
    """Return the message for an errno of binding."""
    advice = "Is another server running? " if number == zmq.EADDRINUSE else ""
    if number == errno.ENOENT:
        advice = "Make its directory first, for the server's user alone (mode 0700). "
    setting = ADMIN_SETTING if admin else SETTING
    return (
        f"cannot bind {endpoint}: {zmq.strerror(number)}. {advice}{setting} takes another address"
    )
