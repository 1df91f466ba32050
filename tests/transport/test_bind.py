"""What a server's socket refuses, shown by doing it to one."""

from __future__ import annotations

import os
import socket as sockets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.auth import create_certificates
from zmq.utils.monitor import recv_monitor_message

from transport.bind import (
    HANDSHAKE_MS,
    Security,
    UnsafeEndpoint,
    UnusableEndpoint,
    bind_router,
    endpoint_of,
    require_safe,
)
from transport.curve import InvalidKeys, read_pair, read_public
from transport.socket_file import MAX_PATH_BYTES
from transport.validation import LIMITS, Limits

Socket = zmq.Socket[bytes]

LOOPBACK = "tcp://127.0.0.1:*"
PATIENCE_MS = 20_000


def key_owner(frame: zmq.Frame) -> str | None:
    """Return the owner of the CURVE key of a frame's connection; None without CURVE.

    The owner is the name of the client's key file, or the key itself if every key is admitted. The frame must
    be received with `copy=False`.
    """
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return None


class Context(zmq.Context[Socket]):
    """Keeps its sockets open until it is destroyed, even if a test forgets them."""

    kept: tuple[Socket, ...] = ()

    def socket(self, socket_type: int, **more: Any) -> Socket:  # type: ignore[override]  # narrower
        """A new socket."""
        socket = super().socket(socket_type, **more)
        self.kept = (*self.kept, socket)
        return socket


@pytest.fixture
def context() -> Iterator[Context]:
    """A context whose sockets are closed after the test."""
    made = Context()
    yield made
    made.destroy(linger=0)


def dealer(
    context: Context, endpoint: str, keys: tuple[bytes, bytes, bytes] | None = None
) -> Socket:
    """A client's socket; with keys (the server's, its own public and secret) it speaks CURVE."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    if keys is not None:
        socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = keys
    socket.connect(endpoint)
    return socket


@contextmanager
def event(socket: Socket, wanted: int) -> Iterator[None]:
    """Wait at the end until the socket's monitor has reported an event."""
    monitor = socket.get_monitor_socket(wanted)
    monitor.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
    yield
    try:
        recv_monitor_message(monitor)
    finally:
        socket.disable_monitor()
        monitor.close(linger=0)


def receive(socket: Socket) -> list[bytes]:
    """The next message, waiting for it."""
    assert socket.poll(PATIENCE_MS), "nothing arrived"
    return socket.recv_multipart()


def still_serves(server: Socket, client: Socket) -> None:
    """A message goes there and back."""
    client.send(b"ping")
    routing_id, body = receive(server)
    server.send_multipart([routing_id, body])
    assert receive(client) == [b"ping"]


# Addresses of a server


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://127.0.0.1:5570",
        "tcp://127.8.9.10:*",
        "tcp://[::1]:5570",
        "ipc:///tmp/tenantry.sock",
        "ipc://var/admin",
        "inproc://test",
    ],
)
def test_local_addresses_need_no_encryption(endpoint: str) -> None:
    """Loopback by number, socket files, and the process itself."""
    require_safe(endpoint, curve=False)


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://*:5570",
        "tcp://0.0.0.0:5570",
        "tcp://[::]:5570",
        "tcp://192.168.1.2:5570",
        "tcp://eth0:5570",
        "tcp://lo:5570",
        "tcp://localhost:5570",
        "tcp://example.org:5570",
        "tcp://127.1:5570",
        "tcp://2130706433:5570",
        "tcp://0x7f000001:5570",
        "tcp://127.0.0.1.example.org:5570",
        "tcp://[fe80::1%lo]:5570",
        "ipc://@abstract",
    ],
)
def test_other_addresses_are_refused_without_curve_and_allowed_with_it(endpoint: str) -> None:
    """Names too, whatever they resolve to today; the message says what to do."""
    with pytest.raises(UnsafeEndpoint, match=r"without CURVE: .*(TENANTRY_CURVE_KEYS|ipc://path)"):
        require_safe(endpoint, curve=False)
    require_safe(endpoint, curve=True)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "127.0.0.1:5570",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://:5570",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:http",
        "udp://127.0.0.1:1",
        "ws://127.0.0.1:80",
        "ipc://",
        "pgm://eth0;239.192.1.1:5555",
    ],
)
@pytest.mark.parametrize("curve", [True, False])
def test_what_is_no_address_is_refused(endpoint: str, curve: bool) -> None:
    """A port past 65535 among them, of which ZeroMQ would keep the lower 16 bits."""
    with pytest.raises(UnusableEndpoint, match=r"is no endpoint to bind: write tcp://127\.0\.0\.1"):
        require_safe(endpoint, curve=curve)


def test_beyond_loopback_the_refusal_says_how_to_make_keys() -> None:
    """With the command and the setting."""
    with pytest.raises(UnsafeEndpoint, match=r"scripts/keys server .*TENANTRY_CURVE_KEYS"):
        require_safe("tcp://0.0.0.0:5570", curve=False)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5571", "tcp://[::1]:*", "tcp://0.0.0.0:1"])
def test_the_admin_channel_takes_no_port_without_curve(endpoint: str) -> None:
    """Not even on loopback, to which every user of the machine can connect; the message says so."""
    words = r"every user of this machine .*ipc://path.*scripts/keys server .*TENANTRY_CURVE_KEYS"
    with pytest.raises(UnsafeEndpoint, match=words):
        require_safe(endpoint, curve=False, admin=True)
    require_safe(endpoint, curve=True, admin=True)


@pytest.mark.parametrize(("endpoint", "safe"), [("ipc://var/a", True), ("ipc://@abstract", False)])
def test_the_admin_channel_takes_a_socket_file_without_curve(endpoint: str, safe: bool) -> None:
    """Its mode says who may connect; an abstract socket has none."""
    if safe:
        require_safe(endpoint, curve=False, admin=True)
    else:
        with pytest.raises(UnsafeEndpoint, match="use a socket file"):
            require_safe(endpoint, curve=False, admin=True)


def test_an_unsafe_address_is_refused_before_anything_listens(context: Context) -> None:
    """Binding asks first."""
    with pytest.raises(UnsafeEndpoint):
        bind_router(context, "tcp://0.0.0.0:*", Security(), LIMITS)


def test_a_taken_address_is_named(context: Context) -> None:
    """With what may be the matter."""
    first = bind_router(context, LOOPBACK, Security(), LIMITS)
    with pytest.raises(UnusableEndpoint, match=r"cannot bind tcp.*in use.*another server running"):
        bind_router(context, endpoint_of(first), Security(), LIMITS)


def test_a_socket_file_is_its_owners_alone(context: Context, tmp_path: Path) -> None:
    """Connecting needs the right to write."""
    bind_router(context, f"ipc://{tmp_path}/admin", Security(), LIMITS)
    assert stat.S_IMODE((tmp_path / "admin").stat().st_mode) == 0o600


def test_a_socket_file_is_never_open_to_others(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for the moment before its mode is set either; other files get the modes they got before."""
    modes: list[int] = []
    really = zmq.Socket.bind

    def bind(socket: Socket, address: str) -> None:
        really(socket, address)
        modes.append(stat.S_IMODE((tmp_path / "admin").stat().st_mode))

    monkeypatch.setattr(zmq.Socket, "bind", bind)
    bind_router(context, f"ipc://{tmp_path}/admin", Security(), LIMITS)
    assert [mode & 0o077 for mode in modes] == [0]
    (tmp_path / "other").touch()
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    os.umask(mask := os.umask(0))
    return mask


def test_the_file_of_a_killed_server_is_replaced(context: Context, tmp_path: Path) -> None:
    """It exists, no process listens, and a new server starts without its removal."""
    path = tmp_path / "admin"
    with sockets.socket(sockets.AF_UNIX) as killed:
        killed.bind(str(path))
        killed.listen()
    assert path.is_socket()
    server = bind_router(context, f"ipc://{path}", Security(), LIMITS)
    still_serves(server, dealer(context, endpoint_of(server)))


@pytest.mark.parametrize("crowded", [False, True])
def test_a_socket_file_in_use_is_left_to_its_server(
    context: Context, tmp_path: Path, crowded: bool
) -> None:
    """ZeroMQ would take it over, and the other server would go on without ever hearing anything."""
    path = tmp_path / "admin"
    with sockets.socket(sockets.AF_UNIX) as other, sockets.socket(sockets.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(0)
        if crowded:  # no process accepts, and no more can wait
            waiting.connect(str(path))
        with pytest.raises(
            UnusableEndpoint, match=r"another server listens there.*TENANTRY_ADMIN_ENDPOINT"
        ):
            bind_router(context, f"ipc://{path}", Security(), LIMITS, admin=True)
        with pytest.raises(UnusableEndpoint, match=r"another server .* TENANTRY_ENDPOINT \("):
            bind_router(context, f"ipc://{path}", Security(), LIMITS)


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_what_is_no_socket_is_not_removed(context: Context, tmp_path: Path, kind: str) -> None:
    """ZeroMQ would, whatever it holds."""
    path = tmp_path / "admin"
    if kind == "file":
        path.write_text("precious")
    elif kind == "link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.mkdir()
    with pytest.raises(UnusableEndpoint, match=r"admin is there and is no socket\. Move it away"):
        bind_router(context, f"ipc://{path}", Security(), LIMITS)
    assert path.is_symlink() or path.exists()


def test_a_path_that_no_socket_can_have_names_its_setting(context: Context, tmp_path: Path) -> None:
    """The longest that fits is bound; bytes count, not letters."""
    room = MAX_PATH_BYTES - len(str(tmp_path)) - 1
    fits = bind_router(context, f"ipc://{tmp_path}/{'s' * room}", Security(), LIMITS)
    still_serves(fits, dealer(context, endpoint_of(fits)))
    for name in ("s" * (room + 1), "é" * (room // 2 + 1)):
        with pytest.raises(
            UnusableEndpoint,
            match=r"path has 10[89] bytes, .* have 107; TENANTRY_ADMIN_ENDPOINT \(--admin-endpoint\)",
        ):
            bind_router(context, f"ipc://{tmp_path}/{name}", Security(), LIMITS, admin=True)


def test_a_missing_directory_is_said_to_be_missing(context: Context, tmp_path: Path) -> None:
    """And for whom to make it."""
    with pytest.raises(UnusableEndpoint, match=r"No such file.*Make its directory first"):
        bind_router(context, f"ipc://{tmp_path}/missing/admin", Security(), LIMITS)


def test_ipv6_is_there_for_who_asks(context: Context) -> None:
    """Off otherwise, so that an address means one thing."""
    if not sockets.has_ipv6:
        pytest.skip("this machine has no IPv6")
    server = bind_router(context, "tcp://[::1]:*", Security(), LIMITS)
    client = context.socket(zmq.DEALER)
    client.setsockopt(zmq.IPV6, 1)
    client.connect(endpoint_of(server))
    still_serves(server, client)
    assert bind_router(context, LOOPBACK, Security(), LIMITS).getsockopt(zmq.IPV6) == 0


# What one connection may do to the others


def test_a_reply_to_nobody_is_an_error(context: Context) -> None:
    """Without ROUTER_MANDATORY it would vanish in silence."""
    server = bind_router(context, LOOPBACK, Security(), LIMITS)
    with pytest.raises(zmq.ZMQError) as caught:
        server.send_multipart([b"nobody", b"reply"])
    assert caught.value.errno == zmq.EHOSTUNREACH


def test_a_reply_that_its_peer_does_not_read_is_an_error_too(context: Context) -> None:
    """Not waited for, not dropped: the sender keeps it and tries again."""
    server = bind_router(context, LOOPBACK, Security(), LIMITS)
    client = context.socket(zmq.DEALER)
    client.setsockopt(zmq.RCVHWM, 1)
    client.connect(endpoint_of(server))
    client.send(b"request")
    routing_id, _ = receive(server)

    def fill() -> None:
        for _ in range(10_000):
            server.send_multipart([routing_id, b"x" * 100_000], zmq.NOBLOCK)

    with pytest.raises(zmq.Again):
        fill()


def test_a_message_past_four_times_the_limit_drops_its_peer_and_no_other(
    context: Context,
) -> None:
    """At four times the limit it is still delivered, so that it can be answered."""
    limits = Limits(body_bytes=1024)
    server = bind_router(context, LOOPBACK, Security(), limits)
    honest = dealer(context, endpoint_of(server))
    hostile = dealer(context, endpoint_of(server))
    still_serves(server, honest)
    hostile.send(b"x" * 4096)
    assert len(receive(server)[1]) == 4096
    with event(hostile, zmq.EVENT_DISCONNECTED):
        hostile.send(b"x" * 4097)
    still_serves(server, honest)
    assert not server.poll(0)


def test_a_connection_that_says_nothing_is_closed(context: Context) -> None:
    """Within seconds, or silent connections would use up the open files."""
    server = bind_router(context, LOOPBACK, Security(), LIMITS)
    host, port = endpoint_of(server).removeprefix("tcp://").split(":")
    with sockets.create_connection((host, int(port)), timeout=5 * HANDSHAKE_MS / 1000) as silent:
        while silent.recv(100):  # the server's own greeting, then the end
            pass
    still_serves(server, dealer(context, endpoint_of(server)))


def test_nobody_takes_over_the_name_of_another(context: Context) -> None:
    """The second connection with a routing id that is in use gets nothing meant for the first."""
    server = bind_router(context, LOOPBACK, Security(), LIMITS)
    first, second = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
    for client in (first, second):
        client.setsockopt(zmq.ROUTING_ID, b"acme")
    first.connect(endpoint_of(server))
    still_serves(server, first)
    with event(second, zmq.EVENT_HANDSHAKE_SUCCEEDED):
        second.connect(endpoint_of(server))
    still_serves(server, first)


def test_dead_peers_are_noticed(context: Context) -> None:
    """A cable that was pulled says nothing by itself: the kernel asks; 30 s are too long to show."""
    server = bind_router(context, LOOPBACK, Security(), LIMITS)
    assert server.getsockopt(zmq.TCP_KEEPALIVE) == 1
    assert server.getsockopt(zmq.TCP_KEEPALIVE_IDLE) == 15


def test_closing_does_not_wait_for_a_peer_that_never_reads(context: Context) -> None:
    """A second for what is on its way, and no more."""
    assert bind_router(context, LOOPBACK, Security(), LIMITS).getsockopt(zmq.LINGER) == 1_000


# Keys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A directory with the key pairs of a server, of ada and of a stranger."""
    for name in ("server", "ada", "stranger"):
        create_certificates(tmp_path, name)
        (tmp_path / f"{name}.key_secret").chmod(0o600)
    (tmp_path / "clients").mkdir()
    (tmp_path / "clients" / "ada.key").write_bytes((tmp_path / "ada.key").read_bytes())
    return tmp_path


@pytest.fixture
def guarded(keys: Path) -> Iterator[Security]:
    """A server that admits ada only."""
    security = Security.from_files(keys / "server.key_secret", keys / "clients")
    yield security
    security.close()


def with_keys(context: Context, server: Socket, keys: Path, name: str) -> Socket:
    """A client with the key pair of that name."""
    own = read_pair(keys / f"{name}.key_secret")
    return dealer(context, endpoint_of(server), (read_public(keys / "server.key"), *own))


def rejection(context: Context, server: Socket, keys: Path, name: str) -> None:
    """Wait until a client's handshake fails, one way or the other."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 500)
    socket.curve_serverkey = read_public(keys / "server.key")
    socket.curve_publickey, socket.curve_secretkey = read_pair(keys / f"{name}.key_secret")
    failed = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_DISCONNECTED
    with event(socket, failed | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL):
        socket.connect(endpoint_of(server))


def test_a_known_key_is_admitted_and_its_owner_named(
    context: Context, keys: Path, guarded: Security
) -> None:
    """The owner comes with every frame, from the key and not from the message."""
    server = bind_router(context, LOOPBACK, guarded, LIMITS)
    client = with_keys(context, server, keys, "ada")
    still_serves(server, client)
    client.send(b"who am I?")
    assert server.poll(PATIENCE_MS)
    _, body = server.recv_multipart(copy=False)
    assert key_owner(body) == "ada"


def test_an_unknown_key_is_refused(context: Context, keys: Path, guarded: Security) -> None:
    """And disturbs no other client."""
    server = bind_router(context, LOOPBACK, guarded, LIMITS)
    rejection(context, server, keys, "stranger")
    still_serves(server, with_keys(context, server, keys, "ada"))


def test_a_client_without_a_key_is_refused(context: Context, keys: Path, guarded: Security) -> None:
    """Encryption is not a matter of taste."""
    server = bind_router(context, LOOPBACK, guarded, LIMITS)
    plain = context.socket(zmq.DEALER)
    with event(plain, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
        plain.connect(endpoint_of(server))
    still_serves(server, with_keys(context, server, keys, "ada"))


def test_without_a_list_every_key_is_admitted_and_named_by_itself(
    context: Context, keys: Path
) -> None:
    """Encryption for all; the token says who is who."""
    security = Security.from_files(keys / "server.key_secret", None)
    server = bind_router(context, LOOPBACK, security, LIMITS)
    client = with_keys(context, server, keys, "stranger")
    client.send(b"hello")
    assert server.poll(PATIENCE_MS)
    _, body = server.recv_multipart(copy=False)
    assert key_owner(body) == read_public(keys / "stranger.key").decode()
    security.close()


def test_nobody_gets_in_while_no_handler_runs(
    context: Context, keys: Path, guarded: Security
) -> None:
    """Without ZAP_ENFORCE_DOMAIN any key would be admitted then."""
    server = bind_router(context, LOOPBACK, guarded, LIMITS)
    guarded.close()
    rejection(context, server, keys, "ada")
    assert not server.poll(0)


def test_two_sockets_of_one_server_share_the_handler(
    context: Context, keys: Path, guarded: Security
) -> None:
    """The data channel and the admin channel."""
    for _ in range(2):
        server = bind_router(context, LOOPBACK, guarded, LIMITS)
        still_serves(server, with_keys(context, server, keys, "ada"))


def test_the_admin_socket_file_needs_no_key(
    context: Context, guarded: Security, tmp_path: Path
) -> None:
    """Its mode admits the server's user alone, who may read every key of the server anyway."""
    server = bind_router(context, f"ipc://{tmp_path}/admin", guarded, LIMITS, admin=True)
    still_serves(server, dealer(context, endpoint_of(server)))


def test_the_admin_channel_on_a_port_admits_known_keys_only(
    context: Context, keys: Path, guarded: Security
) -> None:
    """On loopback as elsewhere."""
    server = bind_router(context, LOOPBACK, guarded, LIMITS, admin=True)
    rejection(context, server, keys, "stranger")
    still_serves(server, with_keys(context, server, keys, "ada"))


def test_without_curve_frames_name_no_owner(context: Context) -> None:
    """There is nothing to take for a proof."""
    server = bind_router(context, LOOPBACK, Security(), LIMITS)
    dealer(context, endpoint_of(server)).send(b"hello")
    assert server.poll(PATIENCE_MS)
    _, body = server.recv_multipart(copy=False)
    assert key_owner(body) is None


def test_key_files_are_checked(keys: Path) -> None:
    """Each mistake is named with its file, before anything listens."""
    secret = keys / "server.key_secret"

    def refused(server: Path | None, clients: Path | None, words: str) -> None:
        with pytest.raises(InvalidKeys, match=words):
            Security.from_files(server, clients)

    refused(None, keys / "clients", "no key of its own")
    refused(keys / "missing.key_secret", None, "missing.key_secret is no CURVE certificate")
    refused(secret, keys / "missing", "missing is no directory of client keys")
    refused(keys / "server.key", None, "(readable by others|no secret-key)")
    (keys / "clients" / "broken.key").write_text('curve\n    public-key = "too short"\n')
    refused(secret, keys / "clients", "broken.key is no CURVE certificate")
    (keys / "clients" / "broken.key").write_text("nonsense")
    refused(secret, keys / "clients", "broken.key is no CURVE certificate")
    (keys / "clients" / "broken.key").write_text('curve\n    public-key = "' + "\x7f" * 40 + '"\n')
    refused(secret, keys / "clients", "broken.key is no CURVE certificate")
    (keys / "clients" / "broken.key").write_bytes((keys / "ada.key").read_bytes())
    refused(secret, keys / "clients", r"broken.key and ada.key are the same key: remove one")
    own, other = secret.read_text(), (keys / "ada.key_secret").read_text()
    secret.write_text(
        own.partition("secret-key")[0] + "secret-key" + other.partition("secret-key")[2]
    )
    refused(secret, None, "are not a pair")
    secret.write_text(own)
    secret.chmod(0o640)
    refused(secret, None, "chmod 600")


def test_a_pair_without_its_secret_is_refused(keys: Path) -> None:
    """The public file of the two was given."""
    (keys / "server.key").chmod(0o600)
    with pytest.raises(InvalidKeys, match="has no secret-key"):
        Security.from_files(keys / "server.key", None)
