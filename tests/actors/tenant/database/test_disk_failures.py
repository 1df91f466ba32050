"""A tenant's file on a disk whose syncs really fail, and what is there after a power cut."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.endurance.faults import Calls, Faults, NoCompiler
from tests.actors.servers import INDEX
from tests.child import ROOT, Child
from tests.deadline import until
from tests.fork_server import ForkServer
from tests.raw_client import Map, RawClient


class Disk:
    """One that fails as planned, and a process on it of which servers are forked."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        try:
            self.faults = Faults(folder / "disk", self.root)
        except NoCompiler as missing:
            pytest.skip(str(missing))
        self.forks = ForkServer(ROOT, **self.faults.environment())

    def close(self) -> None:
        """End that process."""
        self.forks.stop()
        self.faults.close()


class Site:
    """One tenant's server on a disk; a context manager for the one that runs."""

    def __init__(self, disk: Disk, data: Path) -> None:
        self.data = data
        self.data.mkdir()
        self.faults = disk.faults
        self.faults.keep()
        self.token = ""
        self._forks = disk.forks

    def start(self) -> Child:
        """A server on what is there."""
        return Child("--tenant", "acme", data=self.data, registry=INDEX, forks=self._forks)

    def ready(self, child: Child) -> str:
        """Its endpoint; keeps the token of its first start."""
        endpoint = child.ready()
        self.token = self.token or child.said[0].split()[-1]
        return endpoint

    def add(self, text: str) -> Map:
        """A write whose id is its text."""
        return {**self.who, "id": text, "action": "marks.add", "params": {"text": text}}

    def count(self, raw_client: RawClient, text: str) -> Map:
        """How many marks say this, as the server answers."""
        return raw_client.ask(**self.who, action="marks.count", params={"text": text})

    def await_written(self, raw_client: RawClient, text: str) -> None:
        """Send the same write again and again, until it is acknowledged."""
        until(lambda: raw_client.ask(**self.add(text))["ok"], "writes to be served again")

    @property
    def who(self) -> Map:
        """The caller."""
        return {"tenant": "acme", "token": self.token}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """One for a module's tests."""
    found = Disk(tmp_path_factory.mktemp("disk"))
    yield found
    found.close()


@pytest.fixture
def site(disk: Disk) -> Iterator[Site]:
    """On the disk, which is sound at first and empty."""
    data = disk.root / "data"
    yield Site(disk, data)
    disk.faults.mend()
    shutil.rmtree(data)


def test_what_was_written_and_not_synced_is_not_acknowledged_and_reads_go_on(site: Site) -> None:
    """Also under the same id again, and what is answered then is there after a power cut."""
    with site.start() as child, RawClient(site.ready(child)) as raw_client:
        assert raw_client.ask(**site.add("before"))["ok"]
        site.faults.fail(Calls.SYNC, "/tenants/")
        replies = [raw_client.ask(**site.add(text)) for text in ("one", "two", "one")]
        assert site.faults.failed
        assert [reply["error"]["code"] for reply in replies] == ["unavailable"] * 3
        assert all("not known" in reply["error"]["message"] for reply in replies)
        assert all(reply["error"]["retry_after_ms"] <= 800 for reply in replies)
        assert site.count(raw_client, "before")["result"]["count"] == 1
        assert site.count(raw_client, "one")["result"]["count"] == 0
        site.faults.mend()
        site.await_written(raw_client, "one")
        child.process.kill()
        child.ended()
    site.faults.cut_power()
    with site.start() as child, RawClient(site.ready(child)) as raw_client:
        assert raw_client.ask(**site.add("one"))["meta"]["replayed"] is True
        assert raw_client.ask(**site.add("two"))["ok"]
        found = [
            site.count(raw_client, text)["result"]["count"] for text in ("before", "one", "two")
        ]
        assert found == [1, 1, 1]


def test_what_a_killed_server_has_written_counts_once_it_is_in_the_file(site: Site) -> None:
    """A process that died between a write and its sync leaves the same behind."""
    with site.start() as child, RawClient(site.ready(child)) as raw_client:
        assert raw_client.ask(**site.add("before"))["ok"]
        site.faults.fail(Calls.SYNC, "/tenants/")
        assert not raw_client.ask(**site.add("one"))["ok"]
        child.process.kill()
        child.ended()
    with site.start() as child, RawClient(site.ready(child)) as raw_client:
        assert not raw_client.ask(**site.add("one"))["ok"]
        assert not site.count(raw_client, "one")["ok"]
        site.faults.mend()
        site.await_written(raw_client, "one")
        child.process.kill()
        child.ended()
    site.faults.cut_power()
    with site.start() as child, RawClient(site.ready(child)) as raw_client:
        assert raw_client.ask(**site.add("one"))["meta"]["replayed"] is True
        assert site.count(raw_client, "one")["result"]["count"] == 1
        assert site.count(raw_client, "before")["result"]["count"] == 1


def test_a_write_that_cannot_be_made_says_why_and_reads_go_on(site: Site) -> None:
    """With a time after which trying again can help; nothing of it is there, and the same id is served."""
    with site.start() as child, RawClient(site.ready(child)) as raw_client:
        assert raw_client.ask(**site.add("before"))["ok"]
        for number, code in ((errno.ENOSPC, "resource_exhausted"), (errno.EIO, "unavailable")):
            site.faults.fail(Calls.WRITE, "/tenants/", number)
            for text in (code, f"{code} again"):
                error = raw_client.ask(**site.add(text))["error"]
                assert error["code"] == code
                assert 0 < error["retry_after_ms"] <= 800
                assert site.count(raw_client, "before")["result"]["count"] == 1
                assert site.count(raw_client, text)["result"]["count"] == 0
            site.faults.mend()
            site.await_written(raw_client, code)
            assert site.count(raw_client, code)["result"]["count"] == 1
        assert child.stop() == 0
        assert "given up" not in child.log()


def test_a_tenant_is_woken_as_soon_as_there_are_descriptors_again(site: Site) -> None:
    """It is not given up for that."""
    with site.start() as child, RawClient(site.ready(child)) as raw_client:
        site.faults.fail(Calls.OPEN, "/tenants/", errno.EMFILE)
        error = raw_client.ask(**site.add("one"))["error"]
        assert (error["code"], error["retry_after_ms"]) == ("unavailable", 50)
        site.faults.mend()
        site.await_written(raw_client, "one")
        assert "given up" not in child.log()
