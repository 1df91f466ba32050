"""A repository of signed releases, as TUF describes it: who may sign what, and what is signed.

Each environment is a role of its own, with its keys and the number of signatures that its releases need. What
has fewer waits in `pending/`, and no client sees it. `timestamp.json` is written last: it makes a new state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import NamedTuple

from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from scripts.releasing.bundle import SUFFIX, Bundle
from scripts.releasing.problem import ReleaseProblem
from scripts.releasing.publish.documents import (
    PENDING,
    Document,
    Documents,
    path_of,
    roles_of,
    stored,
)
from scripts.releasing.publish.keys import Role, name_of
from scripts.releasing.publish.signers import Signers
from scripts.releasing.publish.store import Missing, Store, Taken

LIFETIMES = {"root": 3650, "targets": 730, "snapshot": 60, "timestamp": 60}
"""Days until metadata has run out."""

ENVIRONMENT_DAYS = 365
"""The same for the releases of an environment."""


class Signing(NamedTuple):
    """How far the releases of an environment are signed."""

    environment: str
    signed: tuple[str, ...]
    """Names of the keys that have signed."""
    threshold: int
    keys: tuple[str, ...]
    """Names of all keys that may sign."""
    is_published: bool
    """False while signatures, or the online key's, are missing."""


class Listed(NamedTuple):
    """One release of a repository."""

    environment: str
    release: str
    sequence: int
    commit: str | None
    requests: tuple[str, ...]
    is_published: bool


class Repository:
    """One repository, and the keys that sign here."""

    def __init__(self, store: Store, signers: Sequence[CryptoSigner] = ()) -> None:
        self._store = store
        self._documents = Documents(store)
        self._signers = Signers(signers)

    def begin_root(self, own: Mapping[str, SSlibKey]) -> bytes:
        """Write root.json, which every deploy is to trust, and return it; `begin` makes the rest.

        `own` has the keys root, targets and online. ReleaseProblem if there is a repository, or a key is
        missing here.
        """
        if self._documents.has(Timestamp.type):
            raise ReleaseProblem(f"{self._store.place} is a repository already")
        root = Root(expires=_expiry("root"), consistent_snapshot=True)
        for name in (Root.type, Targets.type, Snapshot.type, Timestamp.type):
            root.add_key(own.get(name, own["online"]), name)
        try:
            self._save(root, root.roles["root"].keyids)
        except Taken:
            if self._documents.current(Root).roles != root.roles:
                raise ReleaseProblem(
                    f"{self._store.place} was begun with other keys, and that was cut short: give those, "
                    "or another place"
                ) from None
        return self._store.get(path_of(Root.type, root.version))

    def begin(self, roles: Mapping[str, tuple[Role, Sequence[SSlibKey]]]) -> None:
        """Make an empty repository of the root.json that is there."""
        root = self._documents.current(Root)
        targets = Targets(expires=_expiry("targets"), delegations=Delegations({}, {}))
        for environment, (role, keys) in roles.items():
            _delegate(targets, environment, role.threshold)
            for key in keys:
                targets.add_key(key, environment)
        self._save(targets, root.roles["targets"].keyids)
        first = Snapshot(version=1, meta={"targets.json": MetaFile(targets.version)})
        self._publish(root, first, Timestamp(version=1))

    # Releases

    def add(self, bundle: Bundle, content: bytes) -> Signing:
        """Add a bundle to the releases of its environment, signed with the keys that are here."""
        manifest = bundle.manifest
        environment = manifest.environment
        self._signers.require_one(environment, self._documents.keys(environment))
        targets = self._documents.targets(environment)
        _require_newer(bundle, targets)
        if fresh := self._documents.fresh(environment):
            raise ReleaseProblem(
                f"{', '.join(fresh)} waits for signatures: sign it, or drop it (release drop)"
            )
        target = TargetFile.from_data(f"{environment}/{manifest.file}", content, ["sha256"])
        target.unrecognized_fields["custom"] = {
            "environment": environment,
            "sequence": manifest.sequence,
            "commit": (manifest.commit or {}).get("id"),
            "requests": sorted({each for one in manifest.versions for each in one.requests}),
        }
        self._store.put(stored(target), content)
        targets.targets[target.path] = target
        return self._sign(environment, self._begun(environment, targets))

    def sign(self, environment: str) -> Signing:
        """Sign what waits for signatures, or, where nothing does, what is published, anew."""
        self._signers.require_one(environment, self._documents.keys(environment))
        waiting = self._documents.pending(environment)
        if waiting is None:
            waiting = self._begun(environment, self._documents.targets(environment))
        return self._sign(environment, waiting)

    def waiting(self, environment: str) -> list[Bundle]:
        """Return the bundles that wait for signatures, whole, and as they are to be signed."""
        fresh = self._documents.fresh(environment)
        return [self._documents.bundle(each) for each in fresh.values()]

    def drop(self, environment: str) -> None:
        """Remove what waits for signatures."""
        self._documents.role(environment)
        self._store.remove(f"{PENDING}/{environment}.json")

    def listed(self) -> list[Listed]:
        """Return all releases, published and waiting, by environment and sequence."""
        return [
            found
            for environment in self._documents.roles()
            for targets, is_published in (
                (self._documents.targets(environment).targets, True),
                (self._documents.fresh(environment), False),
            )
            for found in _releases(targets.values(), is_published)
        ]

    # Keys and time

    def revoke(self, environment: str, name: str, instead: SSlibKey | None) -> None:
        """Take a key away from an environment: what it signed counts no more."""
        keys = {name_of(key): keyid for keyid, key in self._documents.keys(environment).items()}
        if name not in keys:
            raise ReleaseProblem(
                f"{name} is no key of {environment}; there are {', '.join(sorted(keys))}"
            )
        targets = self._documents.current(Targets)
        targets.revoke_key(keys[name], environment)
        if instead is not None:
            targets.add_key(instead, environment)
        role = roles_of(targets)[environment]
        if len(role.keyids) < role.threshold:
            raise ReleaseProblem(
                f"{environment} would have fewer keys than the {role.threshold} that have to sign: give "
                "another one with --instead NAME.public.pem"
            )
        self._renew(targets)
        self._publish_with({"targets.json": MetaFile(targets.version)})

    def refresh(self) -> list[str]:
        """Sign anew, with later expiry, whatever the keys that are here sign; return its names.

        What waits and has all its signatures is published by that.
        """
        root, changes = self._documents.current(Root), {}
        renewed = []
        if self._signers.has_all(root.roles[Root.type].keyids):
            self._renew(root)
            renewed.append(Root.type)
        if self._signers.has_all(root.roles[Targets.type].keyids):
            targets = self._documents.current(Targets)
            self._renew(targets)
            changes["targets.json"] = MetaFile(targets.version)
            renewed.append(Targets.type)
        self._publish_with(changes)
        for environment in self._documents.roles():
            waiting = self._documents.pending(environment)
            if waiting is not None and self._is_complete(environment, waiting):
                self._publish_role(environment, waiting)
                renewed.append(environment)
        return [*renewed, Snapshot.type, Timestamp.type]

    # Signing

    def _begun(self, environment: str, targets: Targets) -> Metadata[Targets]:
        """What is to be signed: the next version that no earlier attempt has left behind."""
        targets.version = self._documents.published(environment) + 1
        while self._documents.has(environment, targets.version):
            targets.version += 1
        targets.expires = _days(ENVIRONMENT_DAYS)
        return Metadata(targets)

    def _sign(self, environment: str, found: Metadata[Targets]) -> Signing:
        keys = self._documents.keys(environment)
        self._signers.add_signatures(found, keys)
        is_complete = self._is_complete(environment, found)
        online = self._documents.current(Root).roles[Timestamp.type].keyids
        if is_published := is_complete and self._signers.has_all(online):
            self._publish_role(environment, found)
        else:
            self._store.put(f"{PENDING}/{environment}.json", found.to_bytes())
        return Signing(
            environment,
            tuple(name_of(key) for keyid, key in keys.items() if keyid in found.signatures),
            self._documents.role(environment).threshold,
            tuple(map(name_of, keys.values())),
            is_published,
        )

    def _is_complete(self, environment: str, found: Metadata[Targets]) -> bool:
        targets = self._documents.current(Targets)
        signed = found.signed_bytes, found.signatures
        return targets.get_verification_result(environment, *signed).verified

    def _publish_role(self, environment: str, found: Metadata[Targets]) -> None:
        path, content = path_of(environment, found.signed.version), found.to_bytes()
        try:
            self._store.create(path, content)
        except Taken:
            # An attempt that was cut short may have left it, with signatures of others.
            if not self._documents.has_signed(environment, found):
                raise
            self._store.put(path, content)
        self._publish_with({f"{environment}.json": MetaFile(found.signed.version)})
        self._store.remove(f"{PENDING}/{environment}.json")

    def _publish_with(self, changes: Mapping[str, MetaFile]) -> None:
        snapshot = self._documents.current(Snapshot)
        snapshot.meta.update(changes)
        snapshot.version += 1
        timestamp = self._documents.current(Timestamp)
        timestamp.version += 1
        self._publish(self._documents.current(Root), snapshot, timestamp)

    def _publish(self, root: Root, snapshot: Snapshot, timestamp: Timestamp) -> None:
        """Write a snapshot, then the timestamp that makes it the state of the repository."""
        before = self._timestamp()
        snapshot.expires, timestamp.expires = _expiry("snapshot"), _expiry("timestamp")
        self._save(snapshot, root.roles[Snapshot.type].keyids)
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        content = self._signers.sign(timestamp, root.roles[Timestamp.type].keyids).to_bytes()
        if self._timestamp() != before:
            raise ReleaseProblem(
                f"{self._store.place} was published to meanwhile: look at release list, then do it again"
            )
        self._store.put(path_of(Timestamp.type, None), content)

    def _timestamp(self) -> bytes | None:
        try:
            return self._store.get(path_of(Timestamp.type, None))
        except Missing:
            return None

    def _renew(self, document: Document) -> None:
        document.version += 1
        document.expires = _expiry(document.type)
        self._save(document, self._documents.current(Root).roles[document.type].keyids)

    def _save(self, document: Document, keyids: Iterable[str]) -> None:
        """Write a version of a document; the next one, if an attempt that ended early has left this one."""
        while True:
            content = self._signers.sign(document, keyids).to_bytes()
            try:
                self._store.create(path_of(document.type, document.version), content)
            except Taken:
                if isinstance(document, Root):
                    raise
                document.version += 1
            else:
                return


def _delegate(targets: Targets, environment: str, threshold: int) -> None:
    assert targets.delegations is not None
    assert targets.delegations.roles is not None
    paths = [f"{environment}/*"]
    targets.delegations.roles[environment] = DelegatedRole(environment, [], threshold, True, paths)


def _require_newer(bundle: Bundle, targets: Targets) -> None:
    manifest = bundle.manifest
    for each in _releases(targets.targets.values(), is_published=True):
        if each.sequence >= manifest.sequence:
            raise ReleaseProblem(
                f"{each.release} is published for {each.environment}, and {manifest.release} is not newer: "
                "build it with --base, or with a higher --sequence"
            )


def _releases(targets: Iterable[TargetFile], is_published: bool) -> Iterator[Listed]:
    for target in sorted(targets, key=lambda each: int(each.custom["sequence"])):
        yield Listed(
            target.custom["environment"],
            PurePosixPath(target.path).name.removesuffix(SUFFIX),
            target.custom["sequence"],
            target.custom["commit"],
            tuple(target.custom["requests"]),
            is_published,
        )


def _expiry(role: str) -> datetime:
    return _days(LIFETIMES[role])


def _days(days: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
