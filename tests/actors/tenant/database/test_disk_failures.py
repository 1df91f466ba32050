"""A tenant's file on a disk whose syncs really fail, and what is there after a power cut."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.endurance.faults import Calls, Faults, NoCompiler
from tests.actors.servers import INDEX
from tests.child import Child
from tests.deadline import until
from tests.raw_client import Map, RawClient


class Site:
    """One tenant's server on a disk that fails as planned; a context manager for the one that runs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        try:
            self.faults = Faults(folder / "disk", self.data)
        except NoCompiler as missing:
            pytest.skip(str(missing))
        for name, value in self.faults.environment().items():
            monkeypatch.setenv(name, value)
        self.token = ""

    def start(self) -> Child:
        """A server on what is there."""
        return Child("--tenant", "acme", data=self.data, registry=INDEX)

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


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """On a disk that is sound at first."""
    found = Site(tmp_path, monkeypatch)
    yield found
    found.faults.close()


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
