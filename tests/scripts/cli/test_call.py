"""The command line of scripts/call, against a real socket."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from scripts.cli.call import main
from scripts.cli.display import show_rows
from scripts.cli.params import UsageError
from scripts.cli.target import Unreachable, read_token, require_listener
from tests.transport.peer import Peer, Peers, no, yes

ROWS = [
    {"id": 1, "name": "Ada Lovelace", "email": None, "tags": ["a", 1]},
    {"id": 2, "name": "[red]Grace[/red] \x1b[31mHopper\x07", "email": "grace@example.org"},
]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without settings, and a data directory that is empty."""
    for name in ("ENDPOINT", "TOKEN", "ADMIN_ENDPOINT", "ADMIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TENANTRY_DATA", str(tmp_path))
    return tmp_path


def with_result(result: dict[str, Any], **more: Any) -> Any:
    """A server that always answers so."""
    return lambda request: [{**yes(request), "result": result, **more}]


def test_params_are_json_where_they_read_as_json_and_text_otherwise(peers: Peers) -> None:
    """With `:=` a value must be JSON."""
    peer = peers()
    words = ["name=Ada Lovelace", "age=36", "gone=null", 'phone="36"', "eq=a=b", "tags:=[1, 2]"]
    assert main(["acme", "contacts.add", *words, "--endpoint", peer.endpoint]) == 0
    seen = peer.next_seen()
    assert seen["tenant"] == "acme"
    assert seen["params"] == {
        "name": "Ada Lovelace",
        "age": 36,
        "gone": None,
        "phone": "36",
        "eq": "a=b",
        "tags": [1, 2],
    }


def test_params_come_from_standard_input_too(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map, to which the command line adds."""
    peer = peers()
    monkeypatch.setattr("sys.stdin", io.StringIO('{"rows": [{"name": "Ada"}], "n": 1}'))
    assert main(["acme", "contacts.import", "-", "n=2", "--endpoint", peer.endpoint]) == 0
    assert peer.next_seen()["params"] == {"rows": [{"name": "Ada"}], "n": 2}


def test_params_may_be_deep(peers: Peers, tmp_path: Path) -> None:
    """Dots lead into maps, brackets add to arrays, and a file holds what is too long for a line."""
    peer = peers()
    (tmp_path / "colours.json").write_text('{"ink": "#102030"}')
    words = [
        "revision=3",
        "patch.whitelabel.product_name=Desk",
        f"patch.whitelabel.colours:=@{tmp_path}/colours.json",
        "patch.whitelabel.colours.paper=#ffffff",
        "patch.settings=null",
        "areas[]=members",
        "areas[]=tokens",
        "scope=[]",
        "scope[]=a.b",
        "owner.name:=7",
    ]
    main(["acme", "config.patch", *words, "--endpoint", peer.endpoint])
    whitelabel = {"product_name": "Desk", "colours": {"ink": "#102030", "paper": "#ffffff"}}
    assert peer.next_seen()["params"] == {
        "revision": 3,
        "patch": {"whitelabel": whitelabel, "settings": None},
        "areas": ["members", "tokens"],
        "scope": ["a.b"],
        "owner": {"name": 7},
    }


def test_a_dash_stands_for_no_tenant(peers: Peers) -> None:
    """For system.ping and its like."""
    peer = peers()
    assert main(["-", "system.ping", "--endpoint", peer.endpoint, "--id", "mine"]) == 0
    seen = peer.next_seen()
    assert "tenant" not in seen
    assert "token" not in seen
    assert seen["id"] == "mine"


def test_endpoint_and_token_are_found_in_the_order_that_help_says(
    peers: Peers, surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flag, environment, demo.json."""
    peer = peers()
    demo = {"endpoint": peer.endpoint, "tokens": {"acme": "from the demo"}}
    (surroundings / "demo.json").write_text(json.dumps(demo))
    main(["acme", "contacts.find"])
    main(["globex", "contacts.find"])
    monkeypatch.setenv("TENANTRY_TOKEN", "from the environment")
    main(["acme", "contacts.find"])
    main(["acme", "contacts.find", "--token", "from the flag"])
    assert [peer.next_seen().get("token") for _ in range(4)] == [
        "from the demo",
        None,
        "from the environment",
        "from the flag",
    ]


def test_rows_are_a_table_and_whence_they_came_is_on_standard_error(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output holds nothing but what was asked for."""
    result = {"contacts": ROWS, "next": "abc", "previous": None}
    peer = peers(with_result(result, message="to be implemented"))
    assert main(["acme", "contacts.find", "--endpoint", peer.endpoint]) == 0
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0] == ["to", "be", "implemented"]
    assert ["next", "abc"] in lines
    assert ["previous"] not in lines
    assert ["id", "name", "email", "tags"] in lines
    assert ["1", "Ada", "Lovelace", '["a",', "1]"] in lines
    assert err.strip() == "version 1 · trace_id " + "f" * 32


def test_a_table_that_a_terminal_is_too_narrow_for_is_made_to_fit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A row a line: hashes are shortened and columns left out, and that is said; --wide has all of it."""
    long = {"message": "one two " * 30, "request_id": "r" * 40, "note": None}
    rows = [{"seq": seq, "hash": "f" * 64, "prev": "e" * 64, **long} for seq in (2, 1)]
    terminal = Console(file=io.StringIO(), width=50, force_terminal=True, no_color=True)
    show_rows(terminal, rows)
    show_rows(terminal, rows, wide=True)
    assert isinstance(terminal.file, io.StringIO)
    plain = Text.from_ansi(terminal.file.getvalue()).plain.splitlines()
    assert plain[0].split() == ["seq", "prev", "message", "request_id"]
    assert plain[1].split()[:2] == ["2", "e" * 8]
    assert all(len(line) <= 50 for line in plain[:3])
    assert {"f" * 64, "e" * 64, "r" * 40} <= set(plain[4].split())
    said = capsys.readouterr().err
    assert said == "left out: hash; ids and times are shortened: --wide shows everything\n"


def test_a_table_that_fits_has_no_word_cut_off() -> None:
    """What breaks between words makes room for ids and times, which do not."""
    admin = {"id": "p_74209788c64924cf", "name": "first developer admin", "role": "developer admin"}
    rows = [{**admin, "areas": [], "created_at": "2026-11-29T08:37:08Z"}]
    terminal = Console(file=io.StringIO(), width=80, force_terminal=True, no_color=True)
    show_rows(terminal, rows)
    assert isinstance(terminal.file, io.StringIO)
    plain = Text.from_ansi(terminal.file.getvalue()).plain
    assert ["id", "name", "role", "areas", "created_at"] in [x.split() for x in plain.splitlines()]
    assert {"p_74209788c64924cf", "2026-11-29T08:37:08Z"} <= set(plain.split())


def test_a_terminal_has_no_room_for_columns_without_a_value() -> None:
    """What no row has, none of them lacks; a pipe has all columns, always the same."""
    rows = [{"id": n, "name": "Ada", "removed_at": None, "note": "x" * 60} for n in (1, 2)]
    for is_terminal, columns in ((True, "id name note"), (False, "id name removed_at note")):
        out = Console(file=io.StringIO(), width=80, force_terminal=is_terminal, no_color=True)
        show_rows(out, rows)
        assert isinstance(out.file, io.StringIO)
        plain = Text.from_ansi(out.file.getvalue()).plain
        assert columns.split() in [line.split() for line in plain.splitlines()]


def test_forms_of_one_thing_stand_side_by_side(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each name; one thing after another, and no JSON within a table."""
    forms = {
        "asked": {"to": "ada", "text": "x" * 1000},
        "sent": {"to": "ada", "head": {"id": 7}},
        "got": None,
    }
    calls = [{"call": {"id": "mail:1"}, "attempts": [{"ms": 5, "error": None}], "forms": forms}]
    peer = peers(with_result({"calls": calls * 2}))
    assert main(["acme", "connectors.trace", "--endpoint", peer.endpoint]) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines() if line.strip()]
    assert lines.count(["call.id", "mail:1"]) == 2
    assert ["asked", "sent", "got"] in lines
    assert ["to", "ada", "ada"] in lines
    assert ["head.id", "7"] in lines
    assert "x" * 400 + "… (1000 characters)" in shown
    assert "{" not in shown


def test_maps_are_shown_as_they_would_be_written(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each value, however deep, under its dotted name."""
    config = {"whitelabel": {"colours": {"ink": "#102030"}, "texts": {}}, "scope": ["a.b"]}
    peer = peers(with_result({"config": config, "revision": 2}))
    main(["acme", "config.show", "--endpoint", peer.endpoint])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["config.whitelabel.colours.ink", "#102030"],
        ["config.whitelabel.texts", "{}"],
        ["config.scope", '["a.b"]'],
        ["revision", "2"],
    ]


def test_text_from_a_server_moves_nothing_in_the_terminal(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither control sequences nor markup."""
    peer = peers(with_result({"contacts": ROWS}))
    main(["acme", "contacts.find", "--endpoint", peer.endpoint])
    out, _ = capsys.readouterr()
    assert "\x1b" not in out
    assert "\x07" not in out
    assert r"[red]Grace[/red] \x1b[31mHopper\x07" in out


def test_a_long_row_stays_on_one_line_in_a_pipe(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """For grep, and for counting lines."""
    peer = peers(with_result({"contacts": [{"name": "Ada " * 100, "note": "x" * 300}]}))
    main(["acme", "contacts.find", "--endpoint", peer.endpoint])
    out, _ = capsys.readouterr()
    assert any("Ada " * 100 in line and "x" * 300 in line for line in out.splitlines())


def test_in_a_pipe_are_neither_frames_nor_blanks_that_fill_a_line(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that hold rows have an empty line between them; names stand above their columns."""
    rows = [{"name": "Ada", "email": "ada@example.org"}, {"name": "Grace Hopper", "email": None}]
    peer = peers(with_result({"contacts": rows}))
    main(["acme", "contacts.find", "--endpoint", peer.endpoint])
    assert (
        capsys.readouterr().out
        == "name          email\nAda           ada@example.org\nGrace Hopper\n"
    )
    peer = peers(with_result({"calls": [{"id": 1, "attempts": [{"ms": 5}]}] * 2}))
    main(["acme", "connectors.trace", "--endpoint", peer.endpoint])
    assert capsys.readouterr().out == "\nid  1\nattempts (1)\nms\n5\n" * 2


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        (
            "phone=49123456",
            "phone=49123456 reads as JSON; as text it is written phone='\"49123456\"'",
        ),
        ("phone=true", "phone=true reads as JSON; as text it is written phone='\"true\"'"),
        ("phone='1'", ""),
        ("name=7", ""),
    ],
)
def test_a_number_that_should_have_been_text_is_told_how_to_be_written(
    peers: Peers, capsys: pytest.CaptureFixture[str], word: str, advice: str
) -> None:
    """If the server refuses it because it is no text."""
    details = [{"field": "params.phone", "problem": 'is not of type "string"'}]
    peer = peers(lambda request: [no(request, "invalid_argument", details=details)])
    assert main(["acme", "contacts.add", word, "--endpoint", peer.endpoint]) == 1
    assert [line for line in capsys.readouterr().err.splitlines() if "JSON" in line] == (
        [advice] if advice else []
    )


@pytest.mark.parametrize("text", ["49123456", "0049123", "true", "1.10", "1e5"])
def test_what_the_action_takes_as_text_is_text(
    peers: Peers, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """However it looks: a telephone number needs no quotes."""
    details = [{"field": "params.phone", "problem": 'is not of type "string"'}]

    def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
        is_text = isinstance(request["params"]["phone"], str)
        return [yes(request) if is_text else no(request, "invalid_argument", details=details)]

    peer = peers(answer)
    words = ["acme", "contacts.add", f"phone={text}", "age=7", "--json"]
    assert main([*words, "--endpoint", peer.endpoint]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert (result["phone"], result["age"]) == (text, 7)


DESCRIBED = {
    "name": "contacts.add",
    "summary": "Add a contact.",
    "access": "member",
    "platform": None,
    "channel": "data",
    "effect": "write",
    "params": {
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 200, "examples": ["Ada Lovelace"]},
            "kind": {"enum": ["person", "firm"], "description": "Of contact\x1b[31m."},
        },
    },
}


def describing(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer as a server with one action."""
    page = {"environment": "local-dev", "index": "0", "actions": [DESCRIBED], "next": None}
    return [{**yes(request), "result": page}]


def test_help_behind_an_action_is_what_that_action_takes(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = peers(describing)
    assert main(["acme", "contacts.add", "--endpoint", peer.endpoint, "--help"]) == 0
    out = capsys.readouterr().out
    assert "usage: scripts/call acme contacts.add name=…" in out
    assert "  name  text, at most 200\n" in out
    assert "  kind  person | firm (optional). Of contact\\u001b[31m.\n" in out
    assert "for example: scripts/call acme contacts.add name='Ada Lovelace'" in out
    assert peer.next_seen()["action"] == "system.describe"
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "exit status:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "candidates"),
    [
        ("acme con", ["contacts.add"]),
        ("acme contacts.add ", ["name=", "kind="]),
        ("acme contacts.add name=Ada k", ["kind="]),
        ("acme contacts.add kind=", ["person", "firm"]),
        ("acme contacts.add --timeout 3 kind=f", ["firm"]),
    ],
)
def test_a_shell_completes_from_what_the_server_describes(
    peers: Peers, capsys: pytest.CaptureFixture[str], typed: str, candidates: list[str]
) -> None:
    peer = peers(describing)
    assert main(["--complete", f"scripts/call --endpoint {peer.endpoint} {typed}"]) == 0
    assert capsys.readouterr().out.split() == candidates


def test_a_shell_completes_the_tenants_of_the_demo(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (surroundings / "demo.json").write_text(json.dumps({"tokens": {"acme": "x", "globex": "y"}}))
    assert main(["--complete", "scripts/call ac"]) == 0
    assert capsys.readouterr().out.split() == ["acme"]


def test_bash_takes_what_completion_prints(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--completion"])
    script = capsys.readouterr().out
    defined = f"{script}\ncomplete -p scripts/call"
    done = subprocess.run(["bash", "-uec", defined], capture_output=True, text=True, check=True)
    assert done.stdout == "complete -F _tenantry_call scripts/call\n"


def test_of_an_action_that_is_built_in_no_version_is_news(
    peers: Peers, admin: Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    """`version 1` below what functions.move answers would be taken for the function's."""
    main(["--admin", "-", "functions.move"])
    main(["-", "system.ping", "--endpoint", peers().endpoint])
    assert capsys.readouterr().err.splitlines() == ["trace_id " + "f" * 32] * 2


def test_json_prints_the_whole_reply(peers: Peers, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing else on either stream; even for a refusal."""
    peer = peers(with_result({"contacts": ROWS}, message="hello"))
    assert (
        main(["acme", "contacts.find", "--json", "--id", "r-1", "--endpoint", peer.endpoint]) == 0
    )
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "v": 1,
        "id": "r-1",
        "ok": True,
        "result": {"contacts": ROWS},
        "message": "hello",
        "meta": {"version": 1, "trace_id": "f" * 32},
    }
    assert err == ""
    peer = peers(lambda request: [no(request, "not_found")])
    assert main(["acme", "contacts.get", "--json", "--endpoint", peer.endpoint]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_found"


def test_a_reply_as_json_holds_nothing_that_acts_on_a_terminal(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escaped, as JSON can have it: controls of either range, and what turns the direction of text."""
    name = "Zoë \x1b[31m \x9b2J \x7f \u202e \U000e0001"
    peer = peers(with_result({"name": name}))
    assert main(["acme", "contacts.get", "--json", "--endpoint", peer.endpoint]) == 0
    printed = capsys.readouterr().out
    assert all(sign.isprintable() or sign == "\n" for sign in printed)
    assert "Zoë" in printed
    assert json.loads(printed)["result"]["name"] == name


def test_a_refusal_says_what_why_and_when_to_try_again(
    peers: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, with status 1."""
    details = [{"field": "params.email", "problem": "is no address"}]
    more = {"details": details, "user_message": "Sorry", "retry_after_ms": 60_000}
    peer = peers(lambda request: [no(request, "resource_exhausted", **more)])
    assert main(["acme", "contacts.add", "--id", "r-1", "--endpoint", peer.endpoint]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "resource_exhausted: the resource_exhausted message",
        "  params.email: is no address",
        "for the user: Sorry",
        "try again in 60 s with --id r-1",
        "trace_id " + "f" * 32,
    ]


def test_a_missing_token_is_hinted_at(peers: Peers, capsys: pytest.CaptureFixture[str]) -> None:
    """If the server only answers that it does not know the caller."""
    peer = peers(lambda request: [no(request, "unauthenticated")])
    main(["acme", "contacts.find", "--endpoint", peer.endpoint])
    assert "no token was found" in capsys.readouterr().err
    main(["acme", "contacts.find", "--endpoint", peer.endpoint, "--token", "wrong"])
    assert "no token was found" not in capsys.readouterr().err


def test_silence_says_what_to_do(peers: Peers, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 3, the endpoint, and the id under which asking again is safe."""
    endpoint = peers(lambda request: []).endpoint
    words = ["acme", "contacts.add", "--endpoint", endpoint, "--timeout", "0.2", "--id", "r-1"]
    assert main(words) == 3
    err = capsys.readouterr().err
    assert f"no answer from {endpoint} within 0.2 s: is the server running?" in err
    assert "start it with scripts/serve" in err
    assert "--id r-1" in err


def test_what_is_no_request_is_refused_like_by_the_server(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a server being there."""
    assert main(["acme", "No Action"]) == 1
    assert capsys.readouterr().err.startswith("invalid_argument: action: must be")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["acme"], "the following arguments are required: ACTION"),
        (["acme", "a.b", "name"], "'name' is no param: write name=value"),
        (["acme", "a.b", "=1"], "'=1' is no param"),
        (["acme", "a.b", "n:=x"], "n:='x' is not JSON"),
        (["acme", "a.b", "n:=NaN"], "n:='NaN' is not JSON"),
        (["acme", "a.b", "n:=@missing.json"], "missing.json cannot be read"),
        (["acme", "a.b", "n=1", "n.m=2"], "n.m= has no place: 'n' is no map"),
        (["acme", "a.b", "n.m=1", "n.m.o.p=2"], "n.m.o.p= has no place: 'n.m.o' is no map"),
        (["acme", "a.b", "n=1", "n[]=2"], "n[]= has no place: n is no array"),
        (["acme", "a.b", ".n=1"], ".n= has no place"),
        (["acme", "a.b", "n..m=1"], "n..m= has no place"),
        (["acme", "a.b", "n:=" + 100_000 * "["], "is not JSON"),
        (["acme", "a.b", "--token-file", "missing"], "missing is not there"),
        (["acme", "a.b", "--token-file", "x", "--token", "y"], "not allowed with"),
        (["acme", "a.b", "-"], "standard input is JSON but no map"),
        (["acme", "a.b", "--timeout", "0"], "must be more than 0"),
        (["acme", "a.b", "--endpoint", "nowhere"], "cannot connect to 'nowhere'"),
        (["acme", "a.b", "--server-key", "missing.key"], "missing.key is no CURVE certificate"),
    ],
)
def test_wrong_usage_is_explained(
    words: list[str],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With status 2, before anything is sent."""
    monkeypatch.setattr("sys.stdin", io.StringIO("[]"))
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err


def test_a_broken_demo_file_is_named(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than a token silently not being found."""
    (surroundings / "demo.json").write_text("{")
    with pytest.raises(SystemExit):
        main(["acme", "a.b"])
    assert "demo.json is not JSON" in capsys.readouterr().err


# The admin channel


@pytest.fixture
def admin(peers: Peers, surroundings: Path) -> Peer:
    """A server's admin socket in the data directory, with a token beside it."""
    leave_token(surroundings / "admin.token", "tnt_admin\n")
    return peers(endpoint=f"ipc://{surroundings}/admin.sock")


def leave_token(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a file as the server does."""
    file.write_text(text)
    file.chmod(mode)


def test_with_admin_socket_and_token_are_those_of_the_data_directory(admin: Peer) -> None:
    """For a tenant, and for the platform."""
    assert main(["--admin", "acme", "members.list"]) == 0
    assert main(["--admin", "-", "tenants.list", "limit=5"]) == 0
    of_tenant, of_platform = admin.next_seen(), admin.next_seen()
    assert (of_tenant["tenant"], of_tenant["token"]) == ("acme", "tnt_admin")
    assert ("tenant" in of_platform, of_platform["token"]) == (False, "tnt_admin")


def test_with_admin_too_the_nearer_wins(
    peers: Peers, admin: Peer, surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags, then the environment; what --demo left does not count there."""
    elsewhere = peers()
    leave_token(surroundings / "owner.token", "tnt_owner\n")
    (surroundings / "demo.json").write_text('{"endpoint": "x", "tokens": {"acme": "demo"}}')
    main(["--admin", "acme", "a.b"])
    main(["--admin", "acme", "a.b", "--token-file", str(surroundings / "owner.token")])
    monkeypatch.setenv("TENANTRY_ENDPOINT", "tcp://127.0.0.1:1")
    monkeypatch.setenv("TENANTRY_TOKEN", "tnt_of_the_data_channel")
    main(["--admin", "acme", "a.b"])
    monkeypatch.setenv("TENANTRY_ADMIN_TOKEN", "tnt_environment")
    main(["--admin", "acme", "a.b"])
    seen = [admin.next_seen()["token"] for _ in range(4)]
    assert seen == ["tnt_admin", "tnt_owner", "tnt_admin", "tnt_environment"]
    monkeypatch.setenv("TENANTRY_ADMIN_ENDPOINT", elsewhere.endpoint)
    main(["--admin", "acme", "a.b", "--token", "tnt_flag"])
    assert elsewhere.next_seen()["token"] == "tnt_flag"


def test_where_no_server_is_that_is_said_at_once(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 3, even if a killed server left its socket."""
    leave_token(surroundings / "admin.token", "tnt_admin\n")
    for _ in range(2):
        assert main(["--admin", "acme", "members.list"]) == 3
        err = capsys.readouterr().err
        assert f"no server listens at {surroundings}/admin.sock: is it running?" in err
        assert "scripts/serve" in err
        assert "TENANTRY_DATA" in err
        with socket.socket(socket.AF_UNIX) as killed:
            if not (surroundings / "admin.sock").exists():
                killed.bind(str(surroundings / "admin.sock"))


@pytest.mark.parametrize(
    ("token", "words"), [(None, "no token was found: there is no"), ("x", "is not good")]
)
def test_a_token_that_is_missing_or_no_longer_good_is_hinted_at(
    token: str | None,
    words: str,
    peers: Peers,
    surroundings: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With its file and how to come by another; not if the caller gave one."""
    if token is not None:
        leave_token(surroundings / "admin.token", token)
    endpoint = f"ipc://{surroundings}/admin.sock"
    peers(lambda request: [no(request, "unauthenticated")], endpoint=endpoint)
    assert main(["--admin", "-", "tenants.list"]) == 1
    err = capsys.readouterr().err
    assert words in err
    assert f"{surroundings}/admin.token" in err
    assert "--admin-token" in err
    main(["--admin", "-", "tenants.list", "--token", "y"])
    assert "--admin-token" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        ("tnt_admin", 0o644, "is open to others: chmod 600"),
        ("", 0o600, "holds no token"),
        ("two\nlines", 0o600, "holds no token"),
        ("two words", 0o600, "holds no token"),
    ],
)
def test_a_token_file_that_is_none_is_refused_without_showing_it(
    text: str, mode: int, problem: str, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is sent."""
    leave_token(surroundings / "admin.token", text, mode)
    with pytest.raises(SystemExit):
        main(["--admin", "-", "tenants.list"])
    err = capsys.readouterr().err
    assert f"admin.token {problem}" in err
    assert not text or text not in err


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A directory that we may not enter: another user's, while the test runs."""
    leave_token(tmp_path / "admin.token", "tnt_admin")
    tmp_path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:  # for whom modes say nothing
        os.seteuid(65534)
    yield tmp_path
    if is_root:
        os.seteuid(0)
    tmp_path.chmod(0o700)


def test_another_user_is_told_who_may(closed: Path) -> None:
    """Both by the socket and by the token."""
    with pytest.raises(
        Unreachable, match=r"admin\.sock is for the server's user alone: run this as"
    ):
        require_listener(f"ipc://{closed}/admin.sock")
    with pytest.raises(
        UsageError, match=r"admin\.token is for the server's user alone: run this as"
    ):
        read_token(closed / "admin.token")
