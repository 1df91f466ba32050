"""Keys that encrypt what directory.db must not tell whoever has a copy of it; in memory alone. Pure.

The law: what is sealed for one place opens there and nowhere else. ChaCha20-Poly1305 (RFC 8439) authenticates
the place along with the content, so that a blob moved to another tenant's row is one that was tampered with;
Fernet has no such associated data. A nonce is random: 2^32 blobs of one key before a repetition is likelier
than one in 2^32, and a blob is made when a person changes something.

A sealed blob is FORMAT, 4 bytes that name its key, 12 of nonce, then the ciphertext with its 16 bytes of tag.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from actors.errors import Unreadable

KEY_BYTES: Final = 32

FORMAT: Final = b"\x01"
NAME_BYTES: Final = 4
NONCE_BYTES: Final = 12
HEADER_BYTES: Final = len(FORMAT) + NAME_BYTES

Place = tuple[str | int, ...]
"""Where a blob belongs: what it is, whose, and which."""


class Key(NamedTuple):
    """What is made of one key of the file, for each use its own."""

    name: bytes
    """Says which key it is, and nothing of it."""
    cipher: ChaCha20Poly1305
    marker: bytes

    def __repr__(self) -> str:
        return f"Key({self.name.hex()})"


class Vault:
    """Seals with its first key, opens with all of them. Never changed afterwards."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """`keys` have KEY_BYTES each; without one nothing is sealed and nothing opens."""
        self._keys = tuple(map(_prepared, keys))

    def __repr__(self) -> str:
        return f"Vault({', '.join(key.name.hex() for key in self._keys)})"

    def seal(self, content: bytes, place: Place) -> bytes:
        """Encrypt with the first key; Unreadable where there is none."""
        if not self._keys:
            raise Unreadable("there is no key to encrypt with")
        name, cipher, _ = self._keys[0]
        nonce = os.urandom(NONCE_BYTES)
        header = FORMAT + name
        return header + nonce + cipher.encrypt(nonce, content, _bound(header, place))

    def open(self, blob: bytes, place: Place) -> bytes:
        """The content, if it was sealed for this place with a key that is here; Unreadable says why not."""
        header, nonce = blob[:HEADER_BYTES], blob[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        key = self._key_of(header)
        try:
            content = blob[HEADER_BYTES + NONCE_BYTES :]
            return key.cipher.decrypt(nonce, content, _bound(header, place))
        except (InvalidTag, ValueError):  # changed, cut short, or sealed for another place
            raise Unreadable("was changed since it was encrypted, or belongs elsewhere") from None

    def is_current(self, blob: bytes) -> bool:
        """Whether it says that the first key sealed it."""
        return bool(self._keys) and blob[:HEADER_BYTES] == FORMAT + self._keys[0].name

    def marks(self, digest: bytes) -> tuple[bytes, ...]:
        """What may stand for a digest in a file whose readers must not find out by guessing what it is of.

        An HMAC-SHA-256 by each key, the first key's first; at last the digest itself, which is all that there
        is without a key.
        """
        return (*(hmac.digest(key.marker, digest, "sha256") for key in self._keys), digest)

    def _key_of(self, header: bytes) -> Key:
        if len(header) < HEADER_BYTES or not header.startswith(FORMAT):
            raise Unreadable("is nothing that this version of the server has encrypted")
        name = header[len(FORMAT) :]
        key = next((each for each in self._keys if each.name == name), None)
        if key is None:
            raise Unreadable(f"is encrypted with key {name.hex()}, which the server does not have")
        return key


def _prepared(key: bytes) -> Key:
    return Key(
        _derived(key, "name", NAME_BYTES),
        ChaCha20Poly1305(_derived(key, "seal", KEY_BYTES)),
        _derived(key, "mark", KEY_BYTES),
    )


def _derived(key: bytes, use: str, length: int) -> bytes:
    """RFC 5869: what one use gives away tells nothing of the others."""
    return HKDF(SHA256(), length, salt=None, info=f"tenantry {use}".encode()).derive(key)


def _bound(header: bytes, place: Place) -> bytes:
    """As JSON no two places are alike: joined texts could be."""
    return header + json.dumps(place).encode()
