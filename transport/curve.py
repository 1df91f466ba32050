"""CURVE keys in files: ZeroMQ certificates, NAME.key with the public key and NAME.key_secret with both."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import zmq
from zmq.utils import z85


@contextmanager
def private_umask() -> Iterator[None]:
    """Make files private from their first moment: a mode that is set later would leave a gap.

    The mask is that of the whole process: files that other threads make meanwhile are private too.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""Valid names of keys. The name is that of the key's files, and of its owner on the server."""


class InvalidKeys(ValueError):
    """A key file is missing, exists already, is malformed, or readable by others; the message advises."""


class ClientKeys(NamedTuple):
    """What a client of a server needs of CURVE, in Z85; without keys nothing is encrypted."""

    server: bytes | None = None
    own: tuple[bytes, bytes] | None = None
    """Public and secret key; None for a pair made for this process."""


class KeyPair(NamedTuple):
    """The two files of a key pair."""

    public: Path
    """NAME.key, to give to peers."""
    secret: Path
    """NAME.key_secret, mode 0600: for its owner alone."""


def make_pair(directory: Path, name: str) -> KeyPair:
    """Make a key pair in a directory, which is created with mode 0700 if it is missing; raises InvalidKeys.

    No file is overwritten: peers that have the old public key would be locked out.
    """
    require_name(name)
    pair = KeyPair(directory / f"{name}.key", directory / f"{name}.key_secret")
    for file in pair:
        if file.exists():
            raise InvalidKeys(f"{file} is there already: choose another name, or move it away")
    public, secret = zmq.curve_keypair()
    _write(pair.secret, 0o600, public, secret)
    _write(pair.public, 0o644, public)
    return pair


def allow_client(file: Path, directory: Path) -> Path:
    """Copy a client's *.key into the directory of admitted keys; return the copy. Raises InvalidKeys."""
    public, secret = _read(file)
    if secret is not None:
        raise InvalidKeys(f"{file} holds a secret, which stays with its owner: give the *.key file")
    require_name(file.stem)
    known = read_clients(directory) if directory.is_dir() else {}
    target = directory / f"{file.stem}.key"
    if known.get(public, file.stem) != file.stem:
        raise InvalidKeys(f"{file} is allowed already, as {known[public]}")
    if public not in known:
        if target.exists():
            raise InvalidKeys(
                f"{target} is there with another key: remove it first, or rename {file}"
            )
        _write(target, 0o644, public)
    return target


def require_name(name: str) -> None:
    """Raise InvalidKeys if `name` cannot name a key."""
    if not NAME.fullmatch(name):
        raise InvalidKeys(
            f"{name!r} cannot be a key's name: letters, digits, dots, dashes and underscores, at most 63"
        )


def read_pair(file: Path) -> tuple[bytes, bytes]:
    """Return the public and secret key of a *.key_secret file, in Z85; raises InvalidKeys."""
    public, secret = _read(file)
    if file.stat().st_mode & 0o077:
        raise InvalidKeys(f"{file} is readable by others: chmod 600 {file}")
    if secret is None:
        raise InvalidKeys(f"{file} has no secret-key: give the *.key_secret file of the pair")
    if zmq.curve_public(secret) != public:
        raise InvalidKeys(f"{file}: its public and secret key are not a pair; make a new one")
    return public, secret


def read_public(file: Path) -> bytes:
    """Return the public key of a *.key file, in Z85; raises InvalidKeys."""
    return _read(file)[0]


def read_clients(directory: Path) -> dict[bytes, str]:
    """Return the public keys of a directory's *.key files, each with its file's name; raises InvalidKeys."""
    if not directory.is_dir():
        raise InvalidKeys(f"{directory} is no directory of client keys (*.key)")
    owners: dict[bytes, str] = {}
    for file in sorted(directory.glob("*.key")):
        owner = owners.setdefault(read_public(file), file.stem)
        if owner != file.stem:
            raise InvalidKeys(f"{file} and {owner}.key are the same key: remove one of them")
    return owners


def _read(file: Path) -> tuple[bytes, bytes | None]:
    from zmq.auth import (
        load_certificate,
    )  # and logging with it, which a client without keys needs not

    try:
        public, secret = load_certificate(file)
        lengths = {len(z85.decode(key)) for key in (public, secret) if key is not None}
    except (OSError, ValueError, KeyError) as error:
        raise InvalidKeys(f"{file} is no CURVE certificate: {error}") from None
    if lengths != {32}:
        raise InvalidKeys(f"{file} is no CURVE certificate: a key has 40 characters of Z85")
    return public, secret


def _write(file: Path, mode: int, public: bytes, secret: bytes | None = None) -> None:
    """Write a new certificate, with its mode from the first byte on; raises InvalidKeys if it exists."""
    keys = {"public-key": public, "secret-key": secret}
    lines = [f'    {name} = "{key.decode()}"\n' for name, key in keys.items() if key is not None]
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with private_umask():
            file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, flags, mode), "w", encoding="ascii") as opened:
            opened.write("".join(["metadata\n", "curve\n", *lines]))
    except OSError as error:
        raise InvalidKeys(f"cannot write {file}: {error.strerror}") from None
