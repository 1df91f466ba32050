"""Signals: what each means to a running server, and that processes of functions are spared them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from actors import server as program
from actors.assembly.system import System
from actors.host.signals import Signals
from tests.child import Child
from tests.deadline import until
from tests.pipe import Pipe
from tests.raw_client import Map, RawClient

INDEX = Path(__file__).parents[2] / "faulty" / "registry.toml"


class TroubleServer:
    """A server of its own index, which may be edited, with one tenant."""

    def __init__(self, place: Path, **more: Any) -> None:
        self.index = place / "index" / "registry.toml"
        shutil.copytree(INDEX.parent, self.index.parent)
        given = {"data": place / "data", "registry": self.index, **more}
        self.child = Child("--tenant", "acme", **given)
        self.endpoint = self.child.ready()
        self.token = self.child.said[0].split()[-1]

    def ask(self, action: str, **params: Any) -> Map:
        """As the tenant's admin owner."""
        with RawClient(self.endpoint) as raw_client:
            return raw_client.ask(tenant="acme", token=self.token, action=action, params=params)

    def post(self, raw_client: RawClient, **params: Any) -> str:
        """Have the tenant make trouble, and wait for nothing."""
        return raw_client.post(
            tenant="acme", token=self.token, action="trouble.make", params=params
        )

    def send(self, number: signal.Signals) -> None:
        self.child.process.send_signal(number)

    def logged(self, words: str) -> None:
        """Wait until it says so."""
        until(lambda: words in self.child.log(), f"{words!r} in the log")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[TroubleServer]:
    made = TroubleServer(tmp_path)
    with made.child:
        yield made


def test_a_hang_up_takes_in_the_index_as_it_is_on_disk(running: TroubleServer) -> None:
    """As functions.reload does; one that is broken changes nothing, and the log says what is wrong."""
    text = running.index.read_text()
    running.index.write_text(text.replace('[actions."marks.count"]', '[actions."marks.count"'))
    running.send(signal.SIGHUP)
    running.logged("the index was not taken in")
    assert running.ask("marks.count")["ok"]
    running.index.write_text(text.replace('"marks.count"', '"marks.number"'))
    running.send(signal.SIGHUP)
    running.logged('"index loaded"')
    assert running.ask("marks.number")["ok"]
    assert running.child.stop() == 0


def test_a_hang_up_of_its_terminal_ends_it_in_order() -> None:
    """Anyone who closes the terminal has no other way left to end it."""
    came = cast(Signals, iter([signal.SIGHUP]))
    program.heed(came, cast(System, None), ends_with_terminal=True)


def test_a_hang_up_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As nohup has it."""
    ignoring = TroubleServer(tmp_path, ignored=[signal.SIGHUP])
    with ignoring.child:
        ignoring.send(signal.SIGHUP)
        ignoring.send(signal.SIGUSR2)
        ignoring.logged("SIGUSR2 means nothing")
        assert '"index loaded"' not in ignoring.child.log()
        assert ignoring.child.stop() == 0


def test_sigusr1_writes_where_every_thread_is(running: TroubleServer, tmp_path: Path) -> None:
    """Into a file, for the server's user alone; the log says which one."""
    pipe = Pipe(tmp_path)
    stacks = tmp_path / "data" / "stacks.txt"
    with RawClient(running.endpoint) as raw_client:
        running.post(raw_client, **pipe.params)
        pipe.reached()
        running.send(signal.SIGUSR1)
        running.logged(str(stacks))
        pipe.release()
        assert raw_client.receive()["ok"]
    assert "in make_trouble" in stacks.read_text()
    assert stacks.stat().st_mode & 0o077 == 0
    assert running.child.stop() == 0


def test_a_second_signal_ends_it_at_once(running: TroubleServer, tmp_path: Path) -> None:
    """Whatever the first one waits for."""
    pipe = Pipe(tmp_path)
    with RawClient(running.endpoint) as raw_client:
        running.post(raw_client, **pipe.params)
        pipe.reached()
        running.send(signal.SIGTERM)
        while raw_client.ask(action="system.ping")["ok"]:
            pass
        running.send(signal.SIGINT)
        assert running.child.ended() == -signal.SIGINT


def test_a_program_that_a_function_starts_ends_when_asked(running: TroubleServer) -> None:
    """It inherits no mask of signals."""
    reply = running.ask("trouble.make", kind="end_another")
    assert reply["result"] == {"id": -signal.SIGTERM}


def test_a_child_that_a_function_forks_has_nothing_of_the_server(
    running: TroubleServer, tmp_path: Path
) -> None:
    """Neither the data directory nor an address: a killed server is started again beside it."""
    pipe = Pipe(tmp_path)
    forked = running.ask("trouble.make", **{**pipe.params, "kind": "fork"})["result"]["id"]
    pipe.reached()
    running.child.process.kill()
    assert running.child.ended() == -signal.SIGKILL
    data, endpoint = tmp_path / "data", running.endpoint
    with Child(data=data, registry=running.index, endpoint=endpoint) as again:
        assert again.ready() == running.endpoint
        os.kill(forked, signal.SIGTERM)
        assert again.stop() == 0
    pipe.release()


def test_a_forked_child_ends_alone(running: TroubleServer, tmp_path: Path) -> None:
    """A signal that it is sent does not reach the server."""
    pipe = Pipe(tmp_path)
    forked = running.ask("trouble.make", **{**pipe.params, "kind": "fork"})["result"]["id"]
    pipe.reached()
    os.kill(forked, signal.SIGTERM)
    until(lambda: is_broken(pipe), "the end of the child")
    assert running.ask("marks.count")["ok"]
    assert running.child.stop() == 0


def is_broken(pipe: Pipe) -> bool:
    """Whether no one reads it any more."""
    try:
        os.write(pipe.end, b".")
    except BrokenPipeError:
        return True
    return False
