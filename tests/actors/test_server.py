"""`scripts/serve` as a process: what it prints, how it ends, and what it refuses to start with."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
import zmq.auth

from actors import server as program
from actors.admin.directory.store import prepare_directory
from actors.log.events import Events
from actors.settings import Settings
from tests.child import Child
from tests.pipe import Pipe
from tests.raw_client import Map, RawClient
from transport.client import Client
from transport.curve import read_pair, read_public
from transport.errors import NoAnswer

INDEX = Path(__file__).parent.parent / "faulty" / "registry.toml"

CONFIGURATION = 78
FAILURE = 70


def refused(*arguments: object, **more: object) -> str:
    """Why a server did not start: the one thing it says, beside its log."""
    with Child(*arguments, **more) as child:  # type: ignore[arg-type]  # `most_files` among the settings
        assert child.output() == ""
        assert child.ended() == CONFIGURATION, child.log()
        lines = [line for line in child.log().splitlines() if not line.startswith("{")]
    assert lines[0].startswith("tenantry: ")
    assert "Traceback" not in "\n".join(lines)
    return "\n".join(lines)


Refused = Callable[..., str]
"""As `refused`, in this process: takes arguments, and the data directory."""


@pytest.fixture
def refused_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """A tenth of the time that a process takes."""
    monkeypatch.setattr(program, "log_to_standard_error", Events)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TENANTRY_{name.upper()}", raising=False)

    def run(*arguments: object, data: Path, expected: int = CONFIGURATION) -> str:
        given = ["--data", data, "--endpoint", "tcp://127.0.0.1:*", "--memory-bytes", 0]
        status = program.main([str(each) for each in (*given, *arguments)])
        said = capsys.readouterr()
        assert (status, said.out) == (expected, "")
        lines = [line for line in said.err.splitlines() if not line.startswith("{")]
        assert lines[0].startswith("tenantry: ")
        return "\n".join(lines)

    return run


# ---------------------------------------------------------------- life


def test_it_says_ready_with_its_endpoint_and_answers(tmp_path: Path) -> None:
    """The port is the one that was free; a token for a tenant made on the way is printed once."""
    data = tmp_path / "new" / "data"
    with Child("--tenant", "initech", "--tenant", "hooli", data=data) as child:
        endpoint = child.ready()
        assert re.fullmatch(r"tcp://127\.0\.0\.1:[1-9][0-9]+", endpoint)
        tokens = dict(re.findall(r"tenant (\S+) token (tnt_\S+)", "\n".join(child.said)))
        assert set(tokens) == {"initech", "hooli"}
        with Client(endpoint, tenant="initech", token=tokens["initech"]) as client:
            assert client.call("system.whoami")["role"] == "admin owner"
            client.call("contacts.add", {"name": "Ada"})
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert open_to_others(data) == []
        assert child.stop() == 0
        assert tokens["initech"] not in child.log()
    memory = 6 * 1024**3
    with Child("--tenant", "initech", data=data, memory_bytes=memory) as again:
        endpoint = again.ready()
        assert again.said == ["tenant initech is there already: its tokens are those it had"]
        assert resource.prlimit(again.process.pid, resource.RLIMIT_AS)[0] == memory
        with Client(endpoint, tenant="initech", token=tokens["initech"]) as client:
            assert client.call("contacts.find", {"text": "ada"})["contacts"][0]["name"] == "Ada"
        assert again.stop() == 0


def open_to_others(data: Path) -> list[Path]:
    """Files and directories that group or others may use."""
    return [path for path in (data, *data.rglob("*")) if path.stat().st_mode & 0o077]


def test_once_ready_it_spares_the_collector_and_lets_threads_take_turns_quickly(
    tmp_path: Path,
) -> None:
    """What is there at start is not looked through again; threads that compute hand over every 0.5 ms."""
    look = """
import gc, sys
from actors import server as program

said = program.say

def say(line):
    said(f"{gc.get_freeze_count() > 10_000} {gc.get_threshold()[0]} {sys.getswitchinterval()}")
    said(line)

program.say = say
sys.exit(program.main(sys.argv[1:]))
"""
    with Child(data=tmp_path / "data", program=("-c", look)) as child:
        child.ready()
        assert child.said == ["True 10000 0.0005"]
        assert child.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_when_what_it_accepted_is_answered(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Exit status 0, and no file beside the databases."""
    data = tmp_path / "data"
    pipe = Pipe(tmp_path)
    with Child("--tenant", "acme", data=data, registry=INDEX) as child:
        endpoint = child.ready()
        who = {"tenant": "acme", "token": child.said[0].split()[-1]}
        with RawClient(endpoint) as raw_client:
            begun = raw_client.post(**who, action="trouble.make", params=pipe.params)
            pipe.reached()
            waiting = raw_client.post(**who, action="marks.add", params={"text": "waiting"})
            assert raw_client.ask(action="system.ping")["ok"]
            child.process.send_signal(number)
            while (reply := raw_client.ask(action="system.ping"))["ok"]:
                pass
            assert reply["error"]["code"] == "unavailable"
            pipe.release()
            replies = raw_client.replies(2)
        assert replies[begun]["ok"]
        assert replies[waiting]["ok"]
        assert child.ended() == 0
    assert [path.suffix for path in (data / "tenants").iterdir()] == [".db"]


def test_a_function_that_never_returns_holds_it_up_only_so_long(tmp_path: Path) -> None:
    """TENANTRY_DRAIN_SECONDS; the status is 0 all the same. Anyone who waits for it is told to ask again."""
    pipe = Pipe(tmp_path)
    with Child(
        "--tenant", "acme", data=tmp_path / "data", registry=INDEX, drain_seconds=0
    ) as child:
        endpoint = child.ready()
        with RawClient(endpoint) as raw_client:
            who = {"tenant": "acme", "token": child.said[0].split()[-1]}
            begun = raw_client.post(**who, action="trouble.make", params=pipe.params)
            pipe.reached()
            waiting = raw_client.post(**who, action="marks.add", params={"text": "waiting"})
            assert raw_client.ask(action="system.ping")["ok"]
            assert child.stop() == 0
            replies = raw_client.replies(2)
        for id_ in (begun, waiting):
            assert replies[id_]["error"]["code"] == "unavailable"
            assert replies[id_]["error"]["retry_after_ms"] > 0
        assert "function hung at stop" in child.log()


def test_it_ends_with_70_when_an_actor_it_needs_keeps_failing(tmp_path: Path) -> None:
    """Soon enough for the one who starts it again; the log tells why."""
    sabotage = """
import sys
from actors import server as program

def prepare(system, settings):
    path = settings.data / "directory.db"
    path.write_bytes(b"no database" * 1_000)
    for _ in range(2):
        system.actors.directory.tell("a message that the Directory does not know")

program.prepare = prepare
sys.exit(program.main(sys.argv[1:]))
"""
    with Child(data=tmp_path / "data", program=("-c", sabotage)) as child:
        child.ready()
        assert child.ended() == FAILURE
        log = child.log()
    assert "an actor it cannot do without keeps failing" in log
    assert "file is not a database" in log
    assert "did not stop" not in log
    assert "did not answer" not in log


def test_a_reader_that_has_gone_or_has_no_room_stops_nothing(tmp_path: Path) -> None:
    """Standard output says what the log says too, but for tokens."""
    with open("/dev/full", "w") as full:  # noqa: PTH123
        settings = {"TENANTRY_DATA": str(tmp_path), "TENANTRY_ENDPOINT": "tcp://127.0.0.1:*"}
        process = subprocess.Popen(
            [sys.executable, "-m", "actors"],
            env={**os.environ, **settings},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.stderr is not None
    while "standard output takes nothing" not in (line := process.stderr.readline()):
        assert line, "it ended"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


# ---------------------------------------------------------------- what it refuses


def test_a_second_server_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """Two would ruin each other's databases."""
    data = tmp_path / "data"
    with Child(data=data) as child:
        child.ready()
        message = refused(data=data)
        assert f"another server uses the data directory {data}" in message
        assert "TENANTRY_DATA" in message
        (data / "lock").unlink()
        assert f"another server uses the data directory {data}" in refused(data=data)
        assert child.stop() == 0


def broken_index(directory: Path, old: str, new: str) -> Path:
    """The index of tests/faulty with one thing changed."""
    path = directory / "index" / "registry.toml"
    shutil.copytree(INDEX.parent, path.parent)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def test_a_broken_index_is_refused_with_file_line_and_key(tmp_path: Path) -> None:
    """And with what is wrong there."""
    path = broken_index(tmp_path, 'effect  = "write"', 'effect  = "writes"')
    message = refused(data=tmp_path / "data", registry=path)
    line = 1 + path.read_text().splitlines().index('effect  = "writes"')
    assert f'{path}:{line}: actions."marks.add".effect: ' in message
    assert "write" in message


def test_code_that_is_not_there_is_refused_with_its_action(
    tmp_path: Path, refused_here: Refused
) -> None:
    """Not at the first call."""
    path = broken_index(tmp_path, '"functions:add"', '"functions:ad"')
    message = refused_here("--registry", path, data=tmp_path / "data")
    assert "marks.add version 1: code functions:ad" in message


def test_an_index_that_is_not_there_is_refused(tmp_path: Path, refused_here: Refused) -> None:
    """By its path."""
    path = tmp_path / "nowhere.toml"
    message = refused_here("--registry", path, data=tmp_path / "data")
    assert f"{path}: cannot be read" in message


def test_an_index_that_was_emptied_is_refused(tmp_path: Path, refused_here: Refused) -> None:
    """It would be served, and every call answered `not_found`."""
    path = tmp_path / "registry.toml"
    path.write_text("# nothing but a remark\n")
    assert f"{path}: describes no action" in refused_here(
        "--registry", path, data=tmp_path / "data"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--environment", "hosted-life"], ["TENANTRY_ENVIRONMENT", "hosted-live", "local-qa"]),
        (["--endpoint", "tcp://0.0.0.0:*"], ["without CURVE", "TENANTRY_CURVE_KEYS", "127.0.0.1"]),
        (["--endpoint", "tcp://localhost:*"], ["without CURVE", "loopback"]),
        (["--endpoint", "127.0.0.1:5570"], ["is no endpoint", "tcp://127.0.0.1:5570"]),
        (["--threads", "0"], ["TENANTRY_THREADS (--threads)", "greater than or equal to 1"]),
        (["--body-bytes", "many"], ["TENANTRY_BODY_BYTES (--body-bytes)", "integer"]),
        (["--curve-keys", "nowhere.key_secret"], ["nowhere.key_secret", "certificate"]),
        (["--curve-clients", "clients"], ["TENANTRY_CURVE_KEYS"]),
        (["--tenant", "No Name"], ["'No Name' is not a tenant name", "a-z"]),
        (["--demo", "--registry", str(INDEX)], ["--demo", "contacts.", str(INDEX)]),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_what_to_do(
    tmp_path: Path, refused_here: Refused, arguments: list[str], words: list[str]
) -> None:
    """Named as one sets it."""
    message = refused_here(*arguments, data=tmp_path / "data")
    assert [word for word in words if word not in message] == []


def test_a_data_directory_that_cannot_be_one_is_refused(
    tmp_path: Path, refused_here: Refused
) -> None:
    """A file is in its place."""
    (tmp_path / "data").write_text("")
    assert "TENANTRY_DATA (--data)" in refused_here(data=tmp_path / "data")


def test_a_damaged_directory_database_is_refused(tmp_path: Path, refused_here: Refused) -> None:
    """It lists the tenants; without it no one can be let in."""
    (tmp_path / "directory.db").write_bytes(b"no database" * 1000)
    message = refused_here(data=tmp_path)
    assert str(tmp_path / "directory.db") in message
    assert "restore it from a backup" in message


def test_a_directory_database_that_is_damaged_in_the_middle_is_refused(
    tmp_path: Path, refused_here: Refused
) -> None:
    """At the start, and not by the first question that comes to the damage."""
    path = tmp_path / "directory.db"
    prepare_directory(path)
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"noise..." * 512
    path.write_bytes(content)
    message = refused_here(data=tmp_path)
    assert f"{path}, which lists the tenants, cannot be used" in message
    assert "it is damaged; restore it from a backup" in message


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_start_without_room_is_told_and_may_be_tried_again(
    tmp_path: Path, refused_here: Refused
) -> None:
    """Nothing is damaged, and nothing is to be restored; the first start as any later one."""
    data = tmp_path / "data"
    with full_disk():
        first = refused_here(data=data, expected=FAILURE)
    assert "disk" in first
    with Child(data=data) as child:
        child.ready()
        assert child.stop() == 0
    with full_disk():
        later = refused_here(data=data, expected=FAILURE)
    assert f"{data / 'directory.db'}, which lists the tenants, cannot be used" in later
    assert "the disk is full, missing or failing" in later
    assert "restore" not in later


def test_more_residents_than_open_files_are_refused_with_the_most_there_can_be(
    tmp_path: Path,
) -> None:
    """Three files each, and what logs, sockets and the fewest connections need besides."""
    few = (200, 982)
    message = refused(data=tmp_path / "no", resident=101, most_files=few)
    assert "TENANTRY_RESIDENT=101 needs 985 open files" in message
    assert "set TENANTRY_RESIDENT to 100 or less" in message
    with Child(data=tmp_path / "yes", resident=100, most_files=few) as child:
        child.ready()
        pid = child.process.pid
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (982, 982)
        assert child.stop() == 0


# ---------------------------------------------------------------- help


def test_help_lists_every_setting_with_its_default(tmp_path: Path) -> None:
    """In words with units; it makes nothing and exits with 0."""
    with Child("--help", data=tmp_path / "data") as child:
        text = " ".join(child.output().split())
        assert child.ended() == 0
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert field.description is not None
        assert " ".join(field.description.split()) in text
    assert "(default: tcp://127.0.0.1:5570)" in text
    assert "(default: 262144)" in text
    assert not (tmp_path / "data").exists()


# ---------------------------------------------------------------- demo


def demo(data: Path) -> Map:
    """What --demo wrote."""
    path = data / "demo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content: Map = json.loads(path.read_text())
    return content


def found(endpoint: str, tenant: str, token: str) -> int:
    """How many people called Ada the tenant knows."""
    with Client(endpoint, tenant=tenant, token=token) as client:
        return len(client.call("contacts.find", {"text": "ada"})["contacts"])


def test_the_demo_can_be_tried_at_once_and_again(tmp_path: Path) -> None:
    """A second start keeps the tenants as they are, and gives tokens that work, as the first still do."""
    data = tmp_path / "data"
    with Child("--demo", data=data) as child:
        endpoint = child.ready()
        assert any("scripts/call acme contacts.find text=ada" in line for line in child.said)
        first = demo(data)
        assert first["endpoint"] == endpoint
        assert set(first["tokens"]) == {"acme", "globex"}
        adas = {name: found(endpoint, name, first["tokens"][name]) for name in first["tokens"]}
        assert adas["acme"] > 0
        assert child.stop() == 0
    with Child("--demo", data=data) as again:
        endpoint = again.ready()
        second = demo(data)
        assert second["endpoint"] == endpoint
        for tokens in (first["tokens"], second["tokens"]):
            assert {name: found(endpoint, name, tokens[name]) for name in tokens} == adas
        assert again.stop() == 0


# ---------------------------------------------------------------- encryption


def test_with_keys_only_curve_gets_in(tmp_path: Path) -> None:
    """Of those, only clients on the list; a plain client never gets an answer."""
    known = tmp_path / "clients"
    known.mkdir()
    for name in ("server", "friend", "stranger"):
        zmq.auth.create_certificates(tmp_path, name)
        (tmp_path / f"{name}.key_secret").chmod(0o600)
    shutil.copy(tmp_path / "friend.key", known)
    server_key = read_public(tmp_path / "server.key")
    secret = tmp_path / "server.key_secret"
    with Child(data=tmp_path / "data", curve_keys=secret, curve_clients=known) as child:
        endpoint = child.ready()
        friend = read_pair(tmp_path / "friend.key_secret")
        with Client(endpoint, server_key=server_key, keys=friend) as client:
            assert client.call("system.ping")["pong"]
        stranger = read_pair(tmp_path / "stranger.key_secret")
        with (
            Client(endpoint, server_key=server_key, keys=stranger, timeout=0.5) as client,
            pytest.raises(NoAnswer, match="does not admit"),
        ):
            client.call("system.ping")
        with Client(endpoint, timeout=0.5) as client, pytest.raises(NoAnswer):
            client.call("system.ping")
        assert child.stop() == 0


def test_data_of_another_index_is_refused_untouched_until_it_is_adopted(
    tmp_path: Path, refused_here: Refused
) -> None:
    """Where `--registry` was forgotten, and where the environment is another."""
    data = tmp_path / "data"
    with Child("--registry", INDEX, "--tenant", "acme", data=data) as child:
        child.ready()
        assert child.stop() == 0
    before = digests(data)
    said = refused_here(data=data)
    assert str(INDEX) in said
    assert "--adopt" in said
    assert "local-qa" in refused_here("--registry", INDEX, "--environment", "local-qa", data=data)
    assert digests(data) == before
    adopting = ("--registry", INDEX, "--environment", "local-qa", "--adopt")
    with Child(*adopting, data=data) as child:
        child.ready()
        assert child.stop() == 0
    assert "local-dev" in refused_here("--registry", INDEX, data=data)


def test_an_audit_log_that_was_emptied_is_refused_untouched_until_that_is_accepted(
    tmp_path: Path, refused_here: Refused
) -> None:
    """It would begin anew, sound in itself."""
    data = tmp_path / "data"
    with Child("--registry", INDEX, "--tenant", "acme", data=data) as child:
        child.ready()
        assert child.stop() == 0
    (volume,) = (data / "audit").iterdir()
    volume.write_bytes(b"")
    before = digests(data)
    said = refused_here("--registry", INDEX, data=data)
    assert f"{data / 'audit'} lacks record" in said
    assert "--accept-audit" in said
    assert digests(data) == before
    with Child("--registry", INDEX, "--accept-audit", data=data) as child:
        child.ready()
        assert child.stop() == 0
    record = json.loads(volume.read_text().splitlines()[0])
    assert (record["seq"], record["kind"], record["action"]) == (1, "repair", "audit.accept")
    assert "lacks record" in record["message"]
    with Child("--registry", INDEX, data=data) as child:
        child.ready()
        assert child.stop() == 0


def test_an_admin_log_that_is_gone_with_its_note_is_refused_until_that_is_accepted(
    tmp_path: Path, refused_here: Refused
) -> None:
    """Nothing of it is left that could be compared: the directory's own note says that it was begun."""
    data = tmp_path / "data"
    with Child("--registry", INDEX, data=data) as child:
        child.ready()
        assert child.stop() == 0
    shutil.rmtree(data / "audit")
    (data / "audit.head").unlink()
    said = refused_here("--registry", INDEX, data=data)
    assert f"{data / 'audit'} and {data / 'audit.head'} are gone" in said
    assert "--accept-audit" in said
    assert not (data / "audit").exists()
    with Child("--registry", INDEX, "--accept-audit", data=data) as child:
        child.ready()
        assert child.stop() == 0
    (volume,) = (data / "audit").iterdir()
    assert json.loads(volume.read_text().splitlines()[0])["action"] == "audit.accept"


def digests(directory: Path) -> dict[str, bytes]:
    """Each file's SHA-256."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): sha256(path.read_bytes()).digest() for path in files}
