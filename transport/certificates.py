"""CURVE keys in files: the certificates that zmq.auth.create_certificates writes."""

from __future__ import annotations

from pathlib import Path

import zmq
from zmq.auth import load_certificate
from zmq.utils import z85


class UnusableKeys(ValueError):
    """A key file is missing, malformed, or readable by others; the message says what to do."""


def read_pair(file: Path) -> tuple[bytes, bytes]:
    """Read the public and secret key of a *.key_secret file, in Z85; UnusableKeys."""
    public, secret = _read(file)
    if file.stat().st_mode & 0o077:
        raise UnusableKeys(f"{file} is readable by others: chmod 600 {file}")
    if secret is None:
        raise UnusableKeys(f"{file} has no secret-key: give the *.key_secret file of the pair")
    if zmq.curve_public(secret) != public:
        raise UnusableKeys(f"{file}: its public and secret key are not a pair; make a new one")
    return public, secret


def read_public(file: Path) -> bytes:
    """Read the public key of a *.key file, in Z85; UnusableKeys."""
    return _read(file)[0]


def read_clients(directory: Path) -> dict[bytes, str]:
    """Read the public keys of a directory's *.key files, with the name of each file; UnusableKeys."""
    if not directory.is_dir():
        raise UnusableKeys(f"{directory} is no directory of client keys (*.key)")
    return {read_public(file): file.stem for file in sorted(directory.glob("*.key"))}


def _read(file: Path) -> tuple[bytes, bytes | None]:
    try:
        public, secret = load_certificate(file)
        lengths = {len(z85.decode(key)) for key in (public, secret) if key is not None}
    except (OSError, ValueError, KeyError) as error:
        raise UnusableKeys(f"{file} is no CURVE certificate: {error}") from None
    if lengths != {32}:
        raise UnusableKeys(f"{file} is no CURVE certificate: a key has 40 characters of Z85")
    return public, secret
