"""What a deploy trusts: a release as TUF's client finds it, and the words for one that it refuses.

The metadata that was seen is kept in a folder, so that a repository that is put back to an earlier state is
noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from securesystemslib.exceptions import StorageError
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater

from actors.host.files import private_directory
from scripts.releasing.bundle import SUFFIX, Bundle, unpacked
from scripts.releasing.problem import ReleaseProblem
from scripts.releasing.publish.documents import METADATA, TARGETS
from scripts.releasing.publish.store import Missing, Store

NOT_FOUND = 404


class Verifier:
    """Fetches releases of one environment from a repository, and verifies them."""

    def __init__(self, store: Store, environment: str, root: bytes, seen: Path) -> None:
        """`root` is the root.json that is trusted; `seen` keeps the metadata that was found before."""
        self._store = store
        self._environment = environment
        self._root = root
        self._seen = seen

    def newest(self) -> str:
        """Return the name of the newest release that is published; ReleaseProblem if there is none."""
        targets = self._targets()
        if not targets:
            raise ReleaseProblem(
                f"nothing is published for {self._environment} in {self._store.place}"
            )
        path = max(targets.items(), key=lambda each: int(each[1].custom["sequence"]))[0]
        return path.rpartition("/")[2].removesuffix(SUFFIX)

    def fetch(self, release: str, into: Path) -> Bundle:
        """Fetch a release into a folder, verified; return it. ReleaseProblem in words for each cause."""
        name = release.removesuffix(SUFFIX)
        private_directory(into)
        with self._refusals(name):
            updater = self._updater()
            target = self._target(updater, f"{self._environment}/{name}{SUFFIX}")
            if target is None:
                known = ", ".join(
                    each.rpartition("/")[2].removesuffix(SUFFIX) for each in self._targets()
                )
                raise ReleaseProblem(
                    f"{name} is not published for {self._environment} in {self._store.place}; there is "
                    f"{known or 'nothing'}"
                )
            file = Path(updater.download_target(target, str(into / f"{name}{SUFFIX}"), TARGETS))
        bundle = unpacked(file.read_bytes(), name)
        if bundle.manifest.environment != self._environment:
            raise ReleaseProblem(
                f"{name} is foreign: it is for {bundle.manifest.environment}, not for {self._environment}"
            )
        return bundle

    def _target(self, updater: Updater, path: str) -> TargetFile | None:
        """What is published under this path; None, too, before the environment's first release."""
        updater.refresh()
        snapshot = Metadata[Snapshot].from_file(str(self._seen / "snapshot.json")).signed
        if f"{self._environment}.json" not in snapshot.meta:
            return None
        return updater.get_targetinfo(path)

    def _targets(self) -> dict[str, TargetFile]:
        with self._refusals(self._environment):
            self._target(self._updater(), f"{self._environment}/-")
            file = self._seen / f"{self._environment}.json"
            if not file.exists():
                return {}
            return dict(Metadata[Targets].from_file(str(file)).signed.targets)

    def _updater(self) -> Updater:
        private_directory(self._seen)
        return Updater(
            str(self._seen), METADATA, fetcher=_Fetcher(self._store), bootstrap=self._root
        )

    @contextmanager
    def _refusals(self, name: str) -> Iterator[None]:
        """Say in words why the library refuses a release."""
        try:
            yield
        except ExpiredMetadataError as error:
            raise ReleaseProblem(
                f"{name} is expired: {error}; refresh the repository (release refresh), or sign it anew"
            ) from None
        except BadVersionNumberError as error:
            raise ReleaseProblem(
                f"{name} is older than what was seen here before: the repository was put back to an earlier "
                f"state ({error})"
            ) from None
        except (LengthOrHashMismatchError, DownloadLengthMismatchError) as error:
            raise ReleaseProblem(f"{name} was tampered with: {error}") from None
        except UnsignedMetadataError as error:
            raise ReleaseProblem(f"{name} {self._unsigned(error)}") from None
        except (RepositoryError, DeserializationError, StorageError) as error:
            raise ReleaseProblem(f"{name} was tampered with, or is no release: {error}") from None
        except DownloadError as error:
            raise ReleaseProblem(f"{name} cannot be fetched: {error}") from None

    def _unsigned(self, error: UnsignedMetadataError) -> str:
        """Why there are not enough signatures: a key that was revoked, or another repository."""
        if not str(error).startswith(f"{self._environment} "):
            return (
                f"is foreign: the metadata of {self._store.place} is not signed by the keys that are trusted "
                f"here ({error}); is root.json that of this repository?"
            )
        revoked = self._revoked()
        told = f" {', '.join(revoked)} has signed it, whose key was revoked;" * bool(revoked)
        return f"is not signed by enough keys of {self._environment}:{told} have it signed anew ({error})"

    def _revoked(self) -> list[str]:
        """Ids of keys that have signed the newest metadata of the environment, and may not any more."""
        top = Metadata[Targets].from_file(str(self._seen / "targets.json")).signed
        roles = (top.delegations.roles or {}) if top.delegations else {}
        version = 1
        found: Metadata[Targets] | None = None
        while True:
            try:
                content = self._store.get(f"{METADATA}/{version}.{self._environment}.json")
            except Missing:
                break
            found = Metadata[Targets].from_bytes(content)
            version += 1
        known = roles[self._environment].keyids
        return [keyid[:12] for keyid in found.signatures if keyid not in known] if found else []


class _Fetcher(FetcherInterface):
    """Reads what the client asks for from a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield self._store.get(unquote(url))
        except Missing:
            raise DownloadHTTPError(f"{self._store.place} has no {url}", NOT_FOUND) from None


def trusted_root(file: Path) -> bytes:
    """Return the content of a root.json; ReleaseProblem if it is none."""
    try:
        content = file.read_bytes()
        Metadata[Root].from_bytes(content)
    except OSError as error:
        raise ReleaseProblem(
            f"{file}: {error.strerror}: put the root.json there that release begin printed"
        ) from None
    except DeserializationError as error:
        raise ReleaseProblem(f"{file} is no root.json: {error}") from None
    return content
