"""The keys that sign releases: Ed25519, in PEM files, the secret ones for their owners alone."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from actors.host.files import private_directory, write_private
from scripts.releasing.problem import ReleaseProblem

PASSPHRASE = "TENANTRY_RELEASE_PASSPHRASE"
"""Variable with the passphrase of secret keys; without it they are not encrypted."""

ROLES = "roles.json"

PUBLIC, SECRET = ".public.pem", ".secret.pem"

NAME_FIELD = "x-tenantry-name"
"""Field of a key in signed metadata: what people call it."""

OWN = ("root", "targets", "online")
"""Keys of the repository itself."""

DEFAULT = {"hosted-live": (2, 3), "hosted-test": (1, 1)}
"""Signatures that a release needs, and keys that are made, by environment."""

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]*\Z")
_SHARE = re.compile(r"(?P<name>[a-z][a-z0-9-]*)=(?P<threshold>[1-9][0-9]?)/(?P<keys>[1-9][0-9]?)\Z")


class Role(NamedTuple):
    """Who signs the releases of one environment."""

    threshold: int
    keys: tuple[str, ...]
    """Names of keys."""


def parse_shares(words: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Parse `hosted-live=2/3`: two signatures of three keys. ReleaseProblem."""
    found = {}
    for word in words:
        match = _SHARE.match(word)
        if match is None or int(match["threshold"]) > int(match["keys"]):
            raise ReleaseProblem(
                f"{word!r} does not say who signs: write hosted-live=2/3 for two of three keys"
            )
        found[match["name"]] = (int(match["threshold"]), int(match["keys"]))
    if set(found) & {"root", "targets", "snapshot", "timestamp"}:
        raise ReleaseProblem("root, targets, snapshot and timestamp are no environments")
    return found


def make_keys(into: Path, shares: Mapping[str, tuple[int, int]]) -> list[Path]:
    """Make all keys of a repository; return the secret files. ReleaseProblem if one is there already."""
    roles = {
        name: Role(threshold, tuple(f"{name}-{number}" for number in range(1, keys + 1)))
        for name, (threshold, keys) in shares.items()
    }
    names = [*OWN, *(key for role in roles.values() for key in role.keys)]
    there = [name for name in names if (into / f"{name}{SECRET}").exists()]
    if there or (into / ROLES).exists():
        raise ReleaseProblem(
            f"{into} has keys already ({', '.join(there) or ROLES}): give another --out"
        )
    private_directory(into)
    made = [make_key(into, name) for name in names]
    write_private(into / ROLES, json.dumps({k: r._asdict() for k, r in roles.items()}, indent=1))
    return made


def make_key(into: Path, name: str) -> Path:
    """Make one key; return its secret file, which has mode 0600. ReleaseProblem if it is there."""
    if not _ENVIRONMENT.match(name):
        raise ReleaseProblem(f"{name!r} cannot be the name of a key: lower case, digits and - only")
    secret, public = into / f"{name}{SECRET}", into / f"{name}{PUBLIC}"
    if secret.exists():
        raise ReleaseProblem(f"{secret} is there already: no key is overwritten")
    private_directory(into)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption())
    write_private(secret, pem.decode())
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return secret


def read_roles(folder: Path) -> dict[str, Role]:
    """Return the roles that the keys in a folder were made for; ReleaseProblem."""
    try:
        stated = json.loads((folder / ROLES).read_text(encoding="utf-8"))
        return {name: Role(each["threshold"], tuple(each["keys"])) for name, each in stated.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseProblem(
            f"{folder / ROLES} cannot be read ({type(error).__name__}): make the keys with keys release"
        ) from None


def read_public(file: Path) -> SSlibKey:
    """Return a public key with the name of its file; ReleaseProblem."""
    try:
        public = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ReleaseProblem(f"{file} is no public key: {error}") from None
    if not isinstance(public, Ed25519PublicKey):
        raise ReleaseProblem(f"{file} is no Ed25519 key")
    return _named(public, file.name.removesuffix(PUBLIC))


def read_signer(file: Path) -> CryptoSigner:
    """Return what signs with a secret key; ReleaseProblem, also if others may read the file."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise ReleaseProblem(f"{file} is open to others: chmod 600 {file}")
        private = load_pem_private_key(file.read_bytes(), _passphrase())
    except TypeError as error:  # it is encrypted and there is no passphrase, or the other way round
        raise ReleaseProblem(f"{file}: {error}: {PASSPHRASE} has the passphrase") from None
    except (OSError, ValueError) as error:
        raise ReleaseProblem(f"{file} cannot be used as a secret key: {error}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise ReleaseProblem(f"{file} is no Ed25519 key")
    name = file.name.removesuffix(SECRET)
    return CryptoSigner(private, _named(private.public_key(), name))


def name_of(key: Key) -> str:
    """Return what people call a key."""
    return str(key.unrecognized_fields.get(NAME_FIELD, key.keyid[:12]))


def _named(public: Ed25519PublicKey, name: str) -> SSlibKey:
    key = SSlibKey.from_crypto(public)
    key.unrecognized_fields[NAME_FIELD] = name
    return key


def _passphrase() -> bytes | None:
    text = os.environ.get(PASSPHRASE)
    return text.encode() if text else None


def _encryption() -> KeySerializationEncryption:
    passphrase = _passphrase()
    return BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
