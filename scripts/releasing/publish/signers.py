"""The secret keys that are here, and what they sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp

from scripts.releasing.problem import ReleaseProblem
from scripts.releasing.publish.documents import Document
from scripts.releasing.publish.keys import name_of


class Signers:
    """Signs with the keys that are here, by their ids; there may be none."""

    def __init__(self, signers: Sequence[CryptoSigner]) -> None:
        self._by_id = {each.public_key.keyid: each for each in signers}

    def has_all(self, keyids: Iterable[str]) -> bool:
        """Whether all these keys are here."""
        return set(keyids) <= set(self._by_id)

    def require_one(self, environment: str, keys: Mapping[str, Key]) -> None:
        """Raise ReleaseProblem if no key of the environment is here; `keys` are all of it, by id."""
        if not set(keys) & set(self._by_id):
            names = ", ".join(map(name_of, keys.values()))
            raise ReleaseProblem(f"no key of {environment} is here: give --key with one of {names}")

    def add_signatures(self, found: Metadata[Targets], keyids: Iterable[str]) -> None:
        """Sign with those of these keys that are here, beside who has signed already."""
        for keyid in keyids:
            if keyid in self._by_id:
                found.sign(self._by_id[keyid], append=True)

    def sign(self, document: Document, keyids: Iterable[str]) -> Metadata[Document]:
        """Return the document signed with all these keys; ReleaseProblem if one is not here."""
        found = Metadata(document)
        for keyid in keyids:
            if keyid not in self._by_id:
                online = document.type in (Snapshot.type, Timestamp.type)
                key = "online" if online else document.type
                raise ReleaseProblem(
                    f"this needs the repository's {key} key: give it with --key {key}.secret.pem"
                )
            found.sign(self._by_id[keyid], append=True)
        return found
