"""scripts/console -c: one command, its output and its exit status."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from actors.index.parser import built_in_index
from scripts.cli.console.__main__ import main
from scripts.cli.console.aliases import ALIASES, Alias
from scripts.cli.console.grammar import Flags, parse, split
from scripts.cli.entry import DescribedAction
from tests.scripts.cli.console.conftest import Served
from transport.client import Client


@pytest.fixture(autouse=True)
def _here(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRY_DATA", str(served.data))
    for name in ("TENANTRY_TOKEN", "TENANTRY_ADMIN_TOKEN", "TENANTRY_ADMIN_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_json_is_the_whole_reply(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", "tenants", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "acme" in [each["name"] for each in json.loads(out)["result"]["tenants"]]
    assert err == ""


def test_a_table_in_a_pipe_is_whole_and_has_no_blanks_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["-c", "functions"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("Add a contact to the tenant's address book." in line for line in lines)
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines)) < 250


def test_commands_on_standard_input_end_at_the_first_that_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("tenant acme\ntenant nowhere\nfunctions\n"))
    assert main([]) == 1
    out = capsys.readouterr().out
    assert "acme" in out
    assert "contacts.add" not in out


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("tenant nowhere", 1, "not_found: there is no tenant 'nowhere'"),
        ("tennat acme", 2, "did you mean tenant"),
        ("move contacts.add release x", 2, "names no version, such as contacts.add@2"),
        ("move contacts.add@1 gone x", 2, "to is one of dummy, erroring"),
        ("tenants --jsn", 2, "--jsn is no flag"),
        ("owners", 2, "a tenant (or `use` one) missing: owners TENANT"),
        ("owners acme globex", 2, "'globex' is too much: owners TENANT"),
        ("tenants colour=red", 2, "tenants.list has no param 'colour'"),
        ("errors last soon", 2, "a time is 90s, 30m, 2h, 7d or"),
        ("watch create x y", 2, "only questions can be watched"),
        ("trace 0af7", 2, "there is no trace id 0af7"),
    ],
)
def test_the_exit_status_says_what_kind_of_failure_it_was(
    capsys: pytest.CaptureFixture[str], command: str, status: int, said: str
) -> None:
    assert main(["-c", command]) == status
    assert said in capsys.readouterr().err


def test_a_request_is_answered_linked_and_declined_by_short_words(
    capsys: pytest.CaptureFixture[str], served: Served
) -> None:
    """Its number is typed as people say it; what ends it is shown first."""
    with Client(served.endpoint, tenant="acme", token=served.token) as client:
        client.call("requests.submit", {"text": "Export contacts"})
    assert main(["-c", "requests acme sort=votes"]) == 0
    id = next(word for word in capsys.readouterr().out.split() if word.startswith("R-"))
    number = id.removeprefix("R-")
    for command in (
        f"answer {number} 'Which columns?'",
        f"prioritise r-{number} high",
        f"link {id} contacts.add@1",
        f"unlink {id} contacts.add@1 --dry-run",
    ):
        assert main(["-c", command]) == 0, capsys.readouterr().err
    assert main(["-c", f"decline {number} 'nobody prints'"]) == 4
    digest = capsys.readouterr().err.rpartition("--digest ")[2].strip()
    confirmed = f"--confirm {id} --digest {digest}"
    assert main(["-c", f"decline {number} 'nobody prints' {confirmed}"]) == 0
    capsys.readouterr()
    assert main(["-c", f"request {number}"]) == 0
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("declined", "Which columns?", "nobody prints", "high"))


def test_where_no_server_is_the_status_is_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENANTRY_DATA", str(tmp_path))
    assert main(["-c", "tenants", "--token", "tnt_x"]) == 3
    assert "no server listens" in capsys.readouterr().err


def test_without_a_person_what_takes_away_needs_a_name_and_a_digest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["-c", "create gone 'Ada Lovelace'"])
    capsys.readouterr()
    assert main(["-c", "delete gone 'they left'"]) == 4
    digest = capsys.readouterr().err.rpartition("--digest ")[2].strip()
    assert main(["-c", f"delete gone 'they left' --confirm acme --digest {digest}"]) == 4
    assert main(["-c", "delete gone 'they left' --confirm gone --digest 000000000000"]) == 5
    assert main(["-c", "suspend gone 'for a while' --dry-run"]) == 0
    capsys.readouterr()
    assert main(["-c", "tenant gone --json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["tenant"]["status"] == "active"
    assert main(["-c", f"delete gone 'they left' --confirm gone --digest {digest}"]) == 0
    assert "deleting" in capsys.readouterr().out


def test_of_two_who_move_one_version_the_slower_one_changes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Anyone who saw it as it was gets a status of its own."""
    main(["-c", "move notes.list@1 reverted 'loses notes' --dry-run --json"])
    digest = json.loads(capsys.readouterr().out)["digest"]
    confirmed = f"--confirm notes.list --digest {digest}"
    assert main(["-c", f"move notes.list@1 reverted 'loses notes' {confirmed}"]) == 0
    assert main(["-c", f"move notes.list@1 reverted 'loses notes' {confirmed}"]) == 5
    assert "nothing was done: what it is about was" in capsys.readouterr().err


def test_a_trace_id_may_be_typed_by_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    main(["-c", "owners acme --json"])
    trace_id = json.loads(capsys.readouterr().out)["meta"]["trace_id"]
    assert main(["-c", f"trace {trace_id[:8]}"]) == 0
    assert "owners.list" in capsys.readouterr().out


def test_a_token_may_be_typed_as_tables_show_it(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here by the tenant's owner."""
    monkeypatch.setenv("TENANTRY_ADMIN_TOKEN", served.token)
    main(["-c", "members acme --json"])
    person = json.loads(capsys.readouterr().out)["result"]["members"][0]["id"]
    main(["-c", f"tokens.issue acme person={person} label=laptop --json"])
    token = json.loads(capsys.readouterr().out)["result"]["token"]["id"]
    assert main(["-c", f"revoke acme {token[:8]} --dry-run --json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["params"] == {"token": token}
    assert [each["label"] for each in shown["about"]["tokens.list"]["tokens"]] == ["laptop"]
    assert main(["-c", "revoke acme t_zz"]) == 2
    assert "there is no token t_zz…" in capsys.readouterr().err


def test_a_reload_is_of_what_is_on_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", "reload --dry-run --json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["params"]["digest"] == shown["about"]["functions.diff"]["digest"]
    assert main(["-c", "reload 0000"]) == 2
    assert "the index on disk is" in capsys.readouterr().err


def test_help_has_every_action_of_the_admin_channel(capsys: pytest.CaptureFixture[str]) -> None:
    """None of them needs code here: what the index has, help has."""
    assert main(["-c", "help"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.split()}
    words = {each.action: each.word for each in reversed([*ALIASES.values()])}
    admin = [each for each in built_in_index().actions.values() if each.channel == "admin"]
    assert {words.get(each.name, each.name) for each in admin} <= listed


def test_help_of_one_action_has_its_params_and_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["-c", "help config.patch"]) == 0
    out, err = capsys.readouterr()
    assert "revision" in out
    assert "for example: config.patch patch=… revision=…" in err


@pytest.mark.parametrize("alias", ALIASES.values(), ids=lambda each: each.word)
def test_every_word_stands_for_an_action_and_its_example_can_be_typed(alias: Alias) -> None:
    action = built_in_index().actions[alias.action]
    entry = DescribedAction(
        action.name,
        action.summary,
        action.access,
        action.platform,
        action.channel,
        action.effect,
        action.params.source,
    )
    first, *words = split(alias.example)
    assert first == alias.word
    assert parse(words, Flags(), entry, alias, None).entry is entry
