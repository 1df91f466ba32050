"""A company that publishes releases, for tests: keys, a repository, a server that verifies."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Self

from scripts.cli.keys import main as keys
from scripts.releasing.build.plan import planned
from scripts.releasing.bundle import Bundle, packed
from scripts.releasing.publish.command import main
from scripts.releasing.publish.store import Store
from scripts.releasing.publish.verifier import Verifier, trusted_root
from tests.scripts.releasing.shop import Shop

LIVE = "hosted-live"


class Company:
    """Keys, a repository, and a server's memory of what it has seen of it."""

    def __init__(self, folder: Path, place: str | None = None) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.place = place or str(folder / "releases")

    def make_keys(self) -> Self:
        """Make the keys of every role."""
        assert keys(["release", "--out", str(self.keys)]) == 0
        return self

    def begin(self) -> Self:
        """Make the keys, and the repository."""
        self.make_keys()
        assert self.run("begin", "--keys", str(self.keys)) == 0
        return self

    def copy(self, folder: Path) -> Company:
        """The same company in another folder."""
        shutil.copytree(self.folder, folder)
        return Company(folder)

    def run(self, *words: str, key: tuple[str, ...] = ()) -> int:
        """The exit status of a command with these keys."""
        return main(self.arguments(*words, key=key))

    def arguments(self, *words: str, key: tuple[str, ...] = ()) -> list[str]:
        """What a command is given; `{keys}` in its words is the folder of the keys."""
        given = [f"--key={self.keys / name}.secret.pem" for name in key]
        named = [word.format(keys=self.keys) for word in words[1:]]
        return [words[0], *given, "--repository", self.place, *named]

    def verifier(self, environment: str = LIVE) -> Verifier:
        """What the server of an environment verifies with."""
        root = trusted_root(self.keys / "root.json")
        return Verifier(Store(self.place), environment, root, self.folder / "seen")

    def fetch(self, release: str, environment: str = LIVE) -> Bundle:
        """A release as a deploy gets it."""
        return self.verifier(environment).fetch(release, self.folder / "fetched")

    def publish(self, file: Path) -> None:
        """With enough keys."""
        assert self.run("publish", str(file), key=("hosted-live-1",)) == 0
        assert self.run("sign", LIVE, key=("hosted-live-2", "online")) == 0


def three_bundles(folder: Path) -> list[Path]:
    """Three releases for hosted-live, each later than the one before."""
    shop = Shop(folder / "shop")
    shop.edit("registry.toml", '"potential release"', '"under user test"')
    found = []
    for sequence in (1, 2, 3):
        request = shop.request("orders.place@2", environment=LIVE)
        plan = planned(request._replace(name="shop", sequence=sequence))
        file = folder / plan.manifest.file
        file.write_bytes(packed(plan.manifest, plan.files))
        found.append(file)
    return found
