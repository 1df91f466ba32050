"""Tenants made while no server runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.assembly.provisioning import create_tenants
from actors.errors import AlreadyExists, IndexProblem, InvalidArgument, SettingsError
from tests.actors.servers import INDEX, Servers
from tests.raw_client import RawClient


def test_a_server_finds_what_was_seeded(tmp_path: Path) -> None:
    """A member's token for each tenant, and the tables of the index that was named."""
    names = [f"seeded-{number}" for number in range(20)]
    tokens = create_tenants(tmp_path, names, INDEX)
    assert list(tokens) == names
    assert len(set(tokens.values())) == 20
    serve = Servers(tmp_path)
    with RawClient(serve().endpoint) as raw_client:
        for name, token in tokens.items():
            who = {"tenant": name, "token": token}
            assert raw_client.ask(**who, action="system.whoami")["result"]["role"] == "member"
            added = raw_client.ask(**who, action="marks.add", params={"text": name})
            assert added["result"] == {"id": 1}
    serve.stop()


def test_the_repository_s_index_is_the_default(tmp_path: Path) -> None:
    """As for a server."""
    tokens = create_tenants(tmp_path, ["acme"])
    serve = Servers(tmp_path)
    server = serve(registry=Path(__file__).parents[3] / "registry.toml")
    with RawClient(server.endpoint) as raw_client:
        added = raw_client.ask(
            tenant="acme", token=tokens["acme"], action="contacts.add", params={"name": "Ada"}
        )
    assert added["ok"]
    serve.stop()


def test_more_can_be_seeded_later_but_none_twice(tmp_path: Path) -> None:
    """Those named before the one that is there are made."""
    create_tenants(tmp_path, ["acme"], INDEX)
    with pytest.raises(AlreadyExists, match="acme"):
        create_tenants(tmp_path, ["globex", "acme", "initech"], INDEX)
    with pytest.raises(AlreadyExists, match="globex"):
        create_tenants(tmp_path, ["globex"], INDEX)
    assert set(create_tenants(tmp_path, ["initech"], INDEX)) == {"initech"}


@pytest.mark.parametrize("name", ["", "../x", "Acme", "a" * 64])
def test_a_name_that_no_request_could_have_is_refused(tmp_path: Path, name: str) -> None:
    """And no file is made for it."""
    with pytest.raises(InvalidArgument):
        create_tenants(tmp_path, [name], INDEX)
    assert not list((tmp_path / "tenants").iterdir())


def test_each_tenant_has_an_admin_owner_and_the_member(tmp_path: Path) -> None:
    """The token is the member's; anyone who needs another one's issues it on the admin channel."""
    create_tenants(tmp_path, ["acme"], INDEX)
    serve = Servers(tmp_path)
    local = serve().system.local
    people = local.ask("members.list", "acme")["members"]
    assert {(each["name"], each["role"]) for each in people} >= {
        ("admin owner", "admin owner"),
        ("seeded", "member"),
    }
    labels = [each["label"] for each in local.ask("tokens.list", "acme")["tokens"]]
    assert labels.count("seeded") == 1
    serve.stop()


def test_what_was_seeded_is_in_the_audit_log(tmp_path: Path) -> None:
    """One record for all; also of those that were made before a name was refused, and none of nothing."""
    create_tenants(tmp_path, ["acme", "globex"], INDEX)
    with pytest.raises(AlreadyExists):
        create_tenants(tmp_path, ["initech", "acme"], INDEX)
    with pytest.raises(AlreadyExists):
        create_tenants(tmp_path, ["acme"], INDEX)
    serve = Servers(tmp_path)
    listed = serve().system.local.ask("audit.list", action="tenants.seed")["records"]
    assert [(each["capacity"], each["params"]) for each in listed] == [
        ("console", {"count": 1, "first": "initech"}),
        ("console", {"count": 2, "first": "acme"}),
    ]
    serve.stop()


def test_while_a_server_runs_nothing_is_seeded(tmp_path: Path) -> None:
    """It has the files open; afterwards it can be done."""
    serve = Servers(tmp_path)
    serve()
    with pytest.raises(SettingsError, match="another server"):
        create_tenants(tmp_path, ["initech"], INDEX)
    serve.stop()
    assert set(create_tenants(tmp_path, ["initech"], INDEX)) == {"initech"}


def test_what_is_refused_lets_the_data_directory_go(tmp_path: Path) -> None:
    """Mend it and seed again, also within one process."""
    with pytest.raises(IndexProblem):
        create_tenants(tmp_path, ["acme"], tmp_path / "nowhere.toml")
    assert set(create_tenants(tmp_path, ["acme"], INDEX)) == {"acme"}
