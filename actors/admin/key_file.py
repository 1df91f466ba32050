"""The file of the keys that encrypt: base64, one a line; the first encrypts, all of them decrypt."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Callable
from pathlib import Path

import structlog

from actors.admin.vault import KEY_BYTES, Vault
from actors.errors import SettingsError
from actors.host.files import write_private

log = structlog.get_logger()

MOST_BYTES = 64 * 1024
"""Of the file: a thousand keys and more; what is larger is another file."""

SETTING = "TENANTRY_SECRETS_KEY (--secrets-key)"

HEADING = (
    "# Encrypts what tenants set for connectors in directory.db. Keep a copy apart from the database's:\n"
    "# what is encrypted needs both. The first key encrypts, all of them decrypt.\n"
)


def find_keys(path: Path, is_needed: Callable[[], bool]) -> Vault:
    """The keys of a server that starts; made where there are none and none `is_needed` yet. SettingsError.

    Where the file is missing and something is encrypted, the server serves everything else: a mount that
    failed must not take every tenant down. It makes no key then, which would stand in the place of the one
    that is to be put back.
    """
    vault = read_keys(path)
    if vault is not None:
        return vault
    if is_needed():
        log.error(
            "the key file is missing: what tenants set for connectors can neither be read nor changed; put "
            "it back and start the server again",
            path=str(path),
        )
        return Vault()
    make_keys(path)
    log.info("key file made: keep a copy of it apart from the database's", path=str(path))
    return read_keys(path) or Vault()


def make_keys(path: Path) -> None:
    """Make the file with one key, mode 0600; SettingsError."""
    key = base64.b64encode(os.urandom(KEY_BYTES)).decode()
    try:
        write_private(path, f"{HEADING}{key}\n")
    except OSError as error:
        raise SettingsError(
            f"the key file {path} cannot be made ({error.strerror}): {SETTING} takes another"
        ) from error


def read_keys(path: Path) -> Vault | None:
    """What is in the file, or None where there is none.

    SettingsError where others may read it, and for what is no file of keys; it repeats nothing of the file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"the key file {path} cannot be read: {error.strerror}") from error
    try:
        _require_private(path, os.fstat(descriptor))
        content = os.read(descriptor, MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MOST_BYTES:
        raise SettingsError(f"{path} is no key file: it has more than {MOST_BYTES} bytes")
    return _parsed(path, content)


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SettingsError(f"{path} is no key file, nor any other: {SETTING} takes another")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"others may read the key file {path} (mode {stat.S_IMODE(status.st_mode):04o}), and with it "
            f"what it encrypts: chmod 600 {path}. If others did, put a new key in front of it "
            "(docs/operations.md)"
        )


def _parsed(path: Path, content: bytes) -> Vault:
    keys = [
        _key(path, number, line.strip())
        for number, line in enumerate(content.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith(b"#")
    ]
    if not keys:
        raise SettingsError(
            f"the key file {path} holds no key: put yours back; if there never was one, remove the file, "
            "and the next start makes another"
        )
    return Vault(keys)


def _key(path: Path, number: int, line: bytes) -> bytes:
    """As `openssl rand -base64 32` writes one."""
    try:
        key = base64.b64decode(line, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"line {number} of the key file {path} is no key: one is {KEY_BYTES} bytes in base64, as "
            "`openssl rand -base64 32` makes them"
        )
    return key
