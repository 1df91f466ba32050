"""Who may connect, and what one connection may do to the others.

`bind_router` is the only way a server's socket comes into being: it refuses an address that others can
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

HEARTBEAT_MS = 5_000
"""How often a client asks a silent server for a sign of life. A server does not ask: see `set_options`."""

HEARTBEAT_TIMEOUT_MS = 15_000
"""A server that gave none for so long is disconnected."""

KEEPALIVE = {
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 15,
    zmq.TCP_KEEPALIVE_INTVL: 5,
    zmq.TCP_KEEPALIVE_CNT: 3,
}
"""A peer whose machine is gone is disconnected: seconds of silence, and between so many questions."""

MAX_SENDING = 1_000
"""Replies that wait in ZeroMQ for one peer; further ones are the sender's to keep."""

MAX_RECEIVING = 0
"""Requests that wait in ZeroMQ from one peer: any number, and not any number of bytes (`Connections`)."""

LINGER_MS = 1_000
"""How long closing waits for replies that are on their way."""

BACKLOG = 1_024
"""Connections that may wait to be accepted: all clients come at once after a restart."""

ZAP_DOMAIN = b"tenantry"

SETTING = "TENANTRY_ENDPOINT (--endpoint)"
"""Where the data channel's address comes from."""

ADMIN_SETTING = "TENANTRY_ADMIN_ENDPOINT (--admin-endpoint)"
"""Where the admin channel's comes from."""

_GIVE_KEYS = (
    "make a key pair with scripts/keys server and give it with TENANTRY_CURVE_KEYS (--curve-keys)"
)


class SocketProblem(ValueError):
    """A socket cannot be set up as asked; the message names the setting and says what to do."""


class UnsafeEndpoint(SocketProblem):
    """Binding this address would open the server to others without encryption."""


class UnusableEndpoint(SocketProblem):
    """The address cannot be bound: taken, not ours, or not an address."""


class Security:
    """The CURVE keys of a server and of the clients it knows; without keys, nothing is encrypted."""

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

        With ZAP_ENFORCE_DOMAIN nobody is admitted while no handler answers; without it any key would
        be.
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
        """Stop admitting; connections that are open stay. Before the context is destroyed."""
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
    """Make and bind a server's socket, the admin channel's or the data channel's.

    UnsafeEndpoint, UnusableEndpoint. A file that a killed server left at an ipc endpoint is replaced.
    """
    require_safe(endpoint, curve=security.curve, admin=admin)
    require_unused(endpoint, admin=admin)
    socket = context.socket(zmq.ROUTER)
    try:
        set_options(socket, limits, ipv6="[" in endpoint)
        if not (
            admin and path_of(endpoint)
        ):  # who may open that file may read the server's keys too
            security.protect(context, socket)
        with private_umask():
            socket.bind(endpoint)
        _restrict_permissions(endpoint_of(socket))
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise UnusableEndpoint(_cannot_bind(endpoint, error.errno or 0, admin=admin)) from error
    return socket


def endpoint_of(socket: zmq.Socket[bytes]) -> str:
    """Where a bound socket listens, with the port that was free in place of `*` or 0."""
    endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    return endpoint.decode()


def set_options(socket: zmq.Socket[bytes], limits: Limits, *, ipv6: bool = False) -> None:
    """Every option of a server's ROUTER socket that is not about keys; before bind.

    libzmq 4.3.5 ends the process (`!_io_error`) where a timer or a sign of life finds a connection that was
    reset while nothing was read from it. So there are no heartbeats, and reading never stops: dead peers are
    the kernel's to find, and what peers send is bounded in bytes by `Connections`.
    """
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # a reply to nobody is an error, not a silence
    socket.setsockopt(zmq.ROUTER_HANDOVER, 0)  # nobody takes over another's routing id
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

    Only what is plainly local passes: a numeric loopback address, a socket file, or inproc. Names are
    refused, since what they resolve to is not ours to say. The admin channel has a narrower door: loopback,
    where every user of the machine can connect, is not local enough.
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
    if not _is_loopback(address.rpartition(":")[0]):
        raise UnsafeEndpoint(
            f"refusing to bind {endpoint} without CURVE: whoever reaches it could read and alter "
            f"messages. Bind a numeric loopback address such as tcp://127.0.0.1:5570, or {_GIVE_KEYS}"
        )


def require_unused(endpoint: str, *, admin: bool = False) -> None:
    """Raise UnusableEndpoint where binding a socket file would fail, or do harm: ZeroMQ removes first.

    It would remove any file that has the path, and take the address from a server that listens there.
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


def key_owner(frame: zmq.Frame) -> str | None:
    """Who owns the key of the connection that a frame came on; None without CURVE.

    The owner is the name of the client's key file, or the key itself where every key is accepted. The
    frame must be received with `copy=False`.
    """
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return None


class _ZapHandler(ThreadAuthenticator):
    """Answers ZeroMQ's question whether a key may come in, in a thread of its own (RFC 27)."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], clients: Mapping[bytes, str] | None
    ) -> None:
        super().__init__(context)
        self._clients = clients
        self.configure_curve_callback(ZAP_DOMAIN.decode(), self)

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002 - pyzmq calls it with both
        """Whether a key, in Z85, is known; every key is, where there is no list."""
        return self._clients is None or key in self._clients

    def curve_user_id(self, client_public_key: bytes) -> str:
        """The name that comes with every frame of the connection."""
        key = z85.encode(client_public_key)
        return key.decode() if self._clients is None else self._clients[key]


def _require_address(endpoint: str) -> None:
    """Raise UnusableEndpoint for what a server cannot bind whatever its keys."""
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
    """Whether ZeroMQ will take it as it is meant: of a number past 65535 it keeps 16 bits."""
    return text == "*" or (text.isdecimal() and text.isascii() and int(text) <= 65535)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _restrict_permissions(endpoint: str) -> None:
    """A socket file is for its owner alone; connecting to it needs the right to write."""
    if path := path_of(endpoint):
        path.chmod(0o600)


def _cannot_bind(endpoint: str, number: int, *, admin: bool) -> str:
    """What to say about an errno of binding."""
    advice = "Is another server running? " if number == zmq.EADDRINUSE else ""
    if number == errno.ENOENT:
        advice = "Make its directory first, for the server's user alone (mode 0700). "
    setting = ADMIN_SETTING if admin else SETTING
    return (
        f"cannot bind {endpoint}: {zmq.strerror(number)}. {advice}{setting} takes another address"
    )
