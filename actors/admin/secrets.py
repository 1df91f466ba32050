"""Encryption of secrets in directory.db: the key file, the Keyring, and the encrypted rows.

The key file holds base64 keys, one a line. The first key encrypts, all of them decrypt. The keys protect
secrets from readers of a copy of directory.db; the Keyring holds them in memory only, and is pure.

The law: a blob decrypts only with the associated data it was encrypted with. ChaCha20-Poly1305 (RFC 8439)
authenticates the associated data along with the content, so that a blob moved to another tenant's row counts
as changed; Fernet has no associated data. Nonces are random: a repetition under one key becomes likelier than
one in 2^32 only after 2^32 blobs, and a blob is written only when a person changes something.

A blob is FORMAT, 4 bytes that name its key, 12 bytes of nonce, then the ciphertext with its tag of 16 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Row

from actors.errors import EncryptionError, SettingsError
from actors.host.files import write_private
from actors.profiles import ConnectorSettings, deep_freeze

KEY_BYTES: Final = 32

FORMAT: Final = b"\x01"
NAME_BYTES: Final = 4
NONCE_BYTES: Final = 12
HEADER_BYTES: Final = len(FORMAT) + NAME_BYTES

AssociatedData = tuple[str | int, ...]
"""Identifies the place of a blob: its kind, its owner, and its number."""


class Key(NamedTuple):
    """Keys derived from one key of the file, one for each use."""

    name: bytes
    """Identifies the key, and reveals nothing of it."""
    cipher: ChaCha20Poly1305
    mac_key: bytes

    def __repr__(self) -> str:
        return f"Key({self.name.hex()})"


class Keyring:
    """Encrypts with its first key, decrypts with all of them. Immutable."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """`keys` have KEY_BYTES each; without keys nothing can be encrypted or decrypted."""
        self._keys = tuple(map(_prepared, keys))

    def __repr__(self) -> str:
        return f"Keyring({', '.join(key.name.hex() for key in self._keys)})"

    def encrypt(self, content: bytes, data: AssociatedData) -> bytes:
        """Encrypt with the first key. Raise EncryptionError if there is no key."""
        if not self._keys:
            raise EncryptionError("there is no key to encrypt with")
        name, cipher, _ = self._keys[0]
        nonce = os.urandom(NONCE_BYTES)
        header = FORMAT + name
        return header + nonce + cipher.encrypt(nonce, content, _authenticated(header, data))

    def decrypt(self, blob: bytes, data: AssociatedData) -> bytes:
        """Decrypt a blob. The error names the reason if the key or the associated data do not match."""
        header, nonce = blob[:HEADER_BYTES], blob[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        key = self._key_of(header)
        try:
            content = blob[HEADER_BYTES + NONCE_BYTES :]
            return key.cipher.decrypt(nonce, content, _authenticated(header, data))
        except (InvalidTag, ValueError):  # changed, cut short, or other associated data
            raise EncryptionError(
                "was changed since it was encrypted, or belongs elsewhere"
            ) from None

    def is_current(self, blob: bytes) -> bool:
        """Return whether the blob names the first key as its own."""
        return bool(self._keys) and blob[:HEADER_BYTES] == FORMAT + self._keys[0].name

    def macs(self, digest: bytes) -> tuple[bytes, ...]:
        """Return the values that may stand for a digest in a file: its readers cannot guess the content.

        They are an HMAC-SHA-256 with each key, the first key's first, and then the digest itself, which is
        the only value without a key.
        """
        return (*(hmac.digest(key.mac_key, digest, "sha256") for key in self._keys), digest)

    def _key_of(self, header: bytes) -> Key:
        if len(header) < HEADER_BYTES or not header.startswith(FORMAT):
            raise EncryptionError("is nothing that this version of the server has encrypted")
        name = header[len(FORMAT) :]
        key = next((each for each in self._keys if each.name == name), None)
        if key is None:
            raise EncryptionError(
                f"is encrypted with key {name.hex()}, which the server does not have"
            )
        return key


def _prepared(key: bytes) -> Key:
    return Key(
        _derived(key, "name", NAME_BYTES),
        ChaCha20Poly1305(_derived(key, "seal", KEY_BYTES)),
        _derived(key, "mark", KEY_BYTES),
    )


def _derived(key: bytes, use: str, length: int) -> bytes:
    """Derive a key for one use (RFC 5869): a leaked one reveals nothing of the others."""
    return HKDF(SHA256(), length, salt=None, info=f"tenantry {use}".encode()).derive(key)


def _authenticated(header: bytes, data: AssociatedData) -> bytes:
    """Return the authenticated bytes. JSON keeps different data different, which joined texts would not."""
    return header + json.dumps(data).encode()


log = structlog.get_logger()

MAX_FILE_BYTES = 64 * 1024
"""Bytes of the key file, at most: over a thousand keys. A larger file is not a key file."""

SETTING = "TENANTRY_SECRETS_KEY (--secrets-key)"

HEADING = (
    "# Encrypts what tenants set for connectors in directory.db. Keep a copy apart from the database's:\n"
    "# what is encrypted needs both. The first key encrypts, all of them decrypt.\n"
)


def find_keys(path: Path, is_needed: Callable[[], bool]) -> Keyring:
    """Return the keys for a server that starts. Raise SettingsError.

    If the file is missing and no key `is_needed`, create it. If the file is missing and something is
    encrypted, log an error and return an empty Keyring: a failed mount must not stop every tenant. No key is
    created then, because it would take the place of the file that has to be restored.
    """
    keyring = read_keys(path)
    if keyring is not None:
        return keyring
    if is_needed():
        log.error(
            "the key file is missing: what tenants set for connectors can neither be read nor changed; put "
            "it back and start the server again",
            path=str(path),
        )
        return Keyring()
    make_keys(path)
    log.info("key file made: keep a copy of it apart from the database's", path=str(path))
    return read_keys(path) or Keyring()


def make_keys(path: Path) -> None:
    """Create the key file with one key, mode 0600. Raise SettingsError."""
    key = base64.b64encode(os.urandom(KEY_BYTES)).decode()
    try:
        write_private(path, f"{HEADING}{key}\n")
    except OSError as error:
        raise SettingsError(
            f"the key file {path} cannot be made ({error.strerror}): {SETTING} takes another"
        ) from error


def read_keys(path: Path) -> Keyring | None:
    """Return the keys in the file, or None if there is no file.

    Raise SettingsError if other users may read the file, or if it is not a key file. The message repeats
    nothing of the file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"the key file {path} cannot be read: {error.strerror}") from error
    try:
        _require_private(path, os.fstat(descriptor))
        content = os.read(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError(f"{path} is no key file: it has more than {MAX_FILE_BYTES} bytes")
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


def _parsed(path: Path, content: bytes) -> Keyring:
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
    return Keyring(keys)


def _key(path: Path, number: int, line: bytes) -> bytes:
    """Parse one line, as `openssl rand -base64 32` writes it."""
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


def decrypt_settings(keyring: Keyring, row: Row[Any]) -> ConnectorSettings:
    """Decrypt a row's settings, which are not NULL. The result names the problem if they cannot be read."""
    try:
        content = keyring.decrypt(
            row.settings, associated_data(row.tenant_id, row.connector, row.revision)
        )
    except EncryptionError as error:
        return ConnectorSettings(row.connector, row.revision, problem=str(error))
    return ConnectorSettings(row.connector, row.revision, deep_freeze(json.loads(content)))


def encrypt_settings(keyring: Keyring, settings: Mapping[str, Any], data: AssociatedData) -> bytes:
    """Encrypt settings for their row. Raise EncryptionError if there is no key."""
    return keyring.encrypt(json.dumps(settings, separators=(",", ":")).encode(), data)


def associated_data(tenant_id: str, connector: str, revision: int) -> AssociatedData:
    """Bind a row's content to its tenant, connector and revision."""
    return ("connector settings", tenant_id, connector, revision)
