"""The typed client against a server: what it sends, what it gives back, what it raises."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.client import AsyncClient, Client
from scripts.codegen.client import typed_client
from tests.conftest import Server
from tests.scripts.codegen.indexes import AWKWARD, AWKWARD_INDEX
from transport.client import Options
from transport.errors import FailedPrecondition, InvalidArgument, NoAnswer, NotFound


@pytest.fixture
def desk(server: Server) -> Iterator[Client]:
    """A member of acme."""
    with Client(server.endpoint, tenant="acme", token=server.tokens["acme"]) as client:
        yield client


class TestClient:
    """For ordinary code."""

    def test_an_action_is_a_method_and_its_result_has_keys(self, desk: Client) -> None:
        added = desk.contacts.add(name="Ada Lovelace", email="ada@example.com")
        shown = desk.contacts.get(id=added["id"])
        assert (shown["name"], shown["email"], shown["phone"]) == (
            "Ada Lovelace",
            "ada@example.com",
            None,
        )

    def test_absent_is_not_null(self, desk: Client) -> None:
        ada = desk.contacts.add(name="Ada", email="ada@example.com", phone="1")["id"]
        assert desk.contacts.update(id=ada, email=None)["email"] is None
        assert desk.contacts.get(id=ada)["phone"] == "1"

    def test_a_word_of_python_has_a_line_behind_it(self, desk: Client) -> None:
        assert desk.contacts.import_(rows=[{"name": "Alan Turing"}])["added"] == 1

    def test_errors_are_those_of_their_codes(self, desk: Client) -> None:
        with pytest.raises(NotFound) as caught:
            desk.contacts.get(id=2**53 - 1)
        assert caught.value.trace_id is not None
        with pytest.raises(InvalidArgument, match="at least one of"):
            desk.contacts.update(id=1)

    def test_one_call_may_have_options_of_its_own(self, desk: Client) -> None:
        first = desk.contacts.add({"id": "twice"}, name="Once")
        assert desk.contacts.add({"id": "twice"}, name="Once") == first
        with pytest.raises(NoAnswer):
            desk.contacts.find(Options(timeout=0.0))

    def test_what_needs_no_tenant_is_there_too(self, desk: Client) -> None:
        assert desk.system.ping()["pong"] is True
        assert desk.system.whoami()["tenant"] == "acme"
        assert desk.config.get()["revision"] == 0

    def test_it_is_a_client_like_any_other(self, desk: Client) -> None:
        assert desk.call("contacts.find", {"text": "nobody of that name"})["contacts"] == []


def test_the_same_can_be_awaited(server: Server) -> None:
    """Many at a time, on one connection."""

    async def run() -> list[int]:
        token = server.tokens["acme"]
        async with AsyncClient(server.endpoint, tenant="acme", token=token) as desk:
            added = await asyncio.gather(*(desk.contacts.add(name=f"No {n}") for n in range(20)))
            opened = await desk.tickets.open(contact_id=added[0]["id"], subject="s", body="b")
            await desk.tickets.close(id=opened["id"])
            with pytest.raises(FailedPrecondition):
                await desk.tickets.close(id=opened["id"])
            return [each["id"] for each in added]

    assert len(set(asyncio.run(run()))) == 20


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What is written for it, connected to a server of it."""
    directory = tmp_path_factory.mktemp("awkward")
    module = loaded(directory / "client.py")
    server = Server(directory / "data", registry=AWKWARD)
    with module.Client(server.endpoint, tenant="acme", token=server.tokens["acme"]) as client:
        yield client
    server.stop()


class TestAwkward:
    """An index whose names are in the way."""

    def test_an_action_may_be_called_as_what_a_client_has(self, awkward: Any) -> None:
        assert awkward.close_() == {}
        assert awkward.system.ping()["pong"] is True

    def test_an_action_may_be_a_group_too(self, awkward: Any) -> None:
        assert awkward.contacts(place={"name": "Here"}).keys() == {"place"}
        assert awkward.contacts.list() == {}

    def test_groups_nest(self, awkward: Any) -> None:
        assert awkward.contacts.deep.er.find(text="a", anything="goes")["map"] == {}
        assert awkward.contacts.deep_er.find() == {}

    def test_params_may_have_any_name(self, awkward: Any) -> None:
        answer = awkward.contacts.import__(
            {"timeout": 20.0}, self="a", list=[1], params="2026-01-31T09:30:00Z", timeout=1, id=2
        )
        assert answer.keys() >= {"list", "NotRequired"}
        assert awkward.contacts.import_() == {}


def loaded(path: Path) -> Any:
    """The module that is written for the awkward index."""
    path.write_text(typed_client(AWKWARD_INDEX))
    spec = importlib.util.spec_from_file_location("awkward_client", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
