"""The signed documents of a repository, as they are published and as they wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from securesystemslib.signer import Key
from tuf.api.metadata import (
    DelegatedRole,
    Metadata,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError

from scripts.releasing.bundle import Bundle, unpacked
from scripts.releasing.problem import ReleaseProblem
from scripts.releasing.publish.store import Missing, Store

METADATA, TARGETS, PENDING = "metadata", "targets", "pending"

Document = TypeVar("Document", Root, Targets, Snapshot, Timestamp)


class Documents:
    """What a repository says now."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def place(self) -> str:
        """The folder or the URL of the repository."""
        return self._store.place

    def current(self, kind: type[Document]) -> Document:
        """Return the published document of a kind; ReleaseProblem if there is no repository."""
        return self._document(kind, self._version(kind.type))

    def roles(self) -> Mapping[str, DelegatedRole]:
        """Return the environments that have keys."""
        return roles_of(self.current(Targets))

    def role(self, environment: str) -> DelegatedRole:
        """Return who signs for an environment; ReleaseProblem if it has no keys."""
        roles = self.roles()
        if environment not in roles:
            raise ReleaseProblem(
                f"{self.place} has no keys for {environment}; it has keys for {', '.join(roles) or 'none'}"
            )
        return roles[environment]

    def keys(self, environment: str) -> dict[str, Key]:
        """Return the keys that may sign for an environment, by id."""
        delegations = self.current(Targets).delegations
        assert delegations is not None
        return {each: delegations.keys[each] for each in self.role(environment).keyids}

    def targets(self, environment: str) -> Targets:
        """Return what is published for an environment; without targets before its first release."""
        version = self.published(environment)
        return self._document(Targets, version, environment) if version else Targets()

    def published(self, environment: str) -> int:
        """Return which version of an environment's releases is published; 0 before the first."""
        known = self.current(Snapshot).meta.get(f"{environment}.json")
        return known.version if known else 0

    def pending(self, environment: str) -> Metadata[Targets] | None:
        """Return what waits for signatures, with those that it has.

        It may be published already, by a publication that was cut short at its end.
        """
        try:
            return Metadata[Targets].from_bytes(self._store.get(f"{PENDING}/{environment}.json"))
        except Missing:
            return None
        except DeserializationError as error:
            raise ReleaseProblem(
                f"{self.place}/{PENDING}/{environment}.json is no metadata ({error}): drop it (release drop)"
            ) from None

    def fresh(self, environment: str) -> dict[str, TargetFile]:
        """Return the releases that wait for signatures, by path."""
        waiting, before = self.pending(environment), self.targets(environment).targets
        if waiting is None:
            return {}
        return {path: each for path, each in waiting.signed.targets.items() if path not in before}

    def has(self, name: str, version: int | None = None) -> bool:
        """Return whether this version of a document is there, published or not."""
        try:
            self._store.get(path_of(name, version))
        except Missing:
            return False
        return True

    def has_signed(self, environment: str, found: Metadata[Targets]) -> bool:
        """Return whether this version of an environment's releases is there with the same content."""
        there = self._store.get(path_of(environment, found.signed.version))
        return Metadata[Targets].from_bytes(there).signed_bytes == found.signed_bytes

    def bundle(self, target: TargetFile) -> Bundle:
        """Return the bundle of a release as it is to be signed; ReleaseProblem if it is not that."""
        try:
            bundle = unpacked(self._store.get(stored(target)), target.path)
        except Missing:
            raise ReleaseProblem(f"{target.path} is gone from {self.place}: drop it") from None
        if bundle.digest != target.hashes["sha256"]:
            raise ReleaseProblem(f"{target.path} is not what is to be signed: it was tampered with")
        return bundle

    def _document(
        self, kind: type[Document], version: int | None, name: str | None = None
    ) -> Document:
        path = path_of(name or kind.type, version)
        try:
            return Metadata[Document].from_bytes(self._store.get(path)).signed
        except Missing:
            raise ReleaseProblem(
                f"{self.place} has no {path}: begin a repository with release begin"
            ) from None
        except DeserializationError as error:
            raise ReleaseProblem(f"{self.place}/{path} is no metadata: {error}") from None

    def _version(self, name: str) -> int | None:
        """Which version of a role is published; the timestamp has no number in its name."""
        if name == Timestamp.type:
            return None
        if name == Snapshot.type:
            return self._document(Timestamp, None).snapshot_meta.version
        if name == Targets.type:
            return self.current(Snapshot).meta[f"{name}.json"].version
        version = 1
        while self.has(name, version + 1):
            version += 1
        return version


def path_of(name: str, version: int | None) -> str:
    """Return the path of a document, such as `metadata/3.hosted-live.json`."""
    return f"{METADATA}/{'' if version is None else f'{version}.'}{name}.json"


def stored(target: TargetFile) -> str:
    """Return the path of a release's file, whose name begins with its SHA-256."""
    folder, _, file = target.path.rpartition("/")
    return f"{TARGETS}/{folder}/{target.hashes['sha256']}.{file}"


def roles_of(targets: Targets) -> dict[str, DelegatedRole]:
    """Return the environments that have keys."""
    return dict((targets.delegations.roles or {}) if targets.delegations else {})
