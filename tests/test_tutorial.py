"""docs/tutorial.md, executed word for word: files are written, commands are run, and print what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.drafts.__main__ import main as new
from tests.child import Child
from tests.deadline import until
from transport.call import main as call

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tutorial.md").read_text()

BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LOOP = re.compile(r"for n in (?P<numbers>[\d ]+); do (?P<command>.*); done\Z")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
ANYTHING = "…"


class Reader:
    """Somebody who does what the page says, in a directory of his own."""

    def __init__(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._server: Child | None = None
        self._token = ""
        self._digest = ""
        monkeypatch.chdir(directory)
        monkeypatch.setenv("TENANTRY_DATA", str(directory / "var"))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        self.commands = 0

    def write(self, text: str) -> None:
        """A file, which its first line names."""
        name, _, content = text.partition("\n")
        path = self._directory / name.removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def type_in(self, text: str) -> None:
        """Commands, each with what it ought to print."""
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            printed = self.run(command)
            self.commands += 1
            if " functions.show " in command and not matches(printed, expected):
                until(lambda: matches(self.run(command), expected), expected)  # noqa: B023 - called here
                continue  # what the machine does by itself, a reader sees a moment later
            assert matches(printed, expected), f"$ {command}\n{printed}\n--- expected\n{expected}"

    def run(self, command: str) -> str:
        """What a command prints."""
        loop = LOOP.match(command)
        if loop is not None:
            return "".join(self.run(loop["command"]) for _ in loop["numbers"].split())
        words = shlex.split(command.replace("$PWD", str(self._directory)))
        words = [word.replace("$TENANTRY_TOKEN", self._token) for word in words]
        program, arguments = words[0], words[1:]
        printed: str = getattr(self, f"_{program.replace('/', '_')}")(arguments)
        return printed

    def leave(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.stop()
            self._server.__exit__(None, None, None)

    def _scripts_serve(self, arguments: list[str]) -> str:
        self.leave()
        given = [self._absolute(word) for word in arguments]
        self._server = Child(*given, data=self._directory / "var", memory_bytes=0)
        endpoint = self._server.ready()
        self._monkeypatch.setenv("TENANTRY_ENDPOINT", endpoint)
        return "\n".join([*self._server.said, f"ready {endpoint}"]) + "\n"

    def _absolute(self, word: str) -> str:
        """The server stands elsewhere."""
        return str(self._directory / word) if word.endswith(".toml") else word

    def _export(self, arguments: list[str]) -> str:
        assert arguments == ["TENANTRY_TOKEN=tnt_…"]
        assert self._server is not None
        self._token = self._server.said[0].split()[-1]
        self._monkeypatch.setenv("TENANTRY_TOKEN", self._token)
        return ""

    def _scripts_call(self, arguments: list[str]) -> str:
        given = [f"digest={self._digest}" if word == "digest=…" else word for word in arguments]
        with self._monkeypatch.context() as patch:
            if "--admin" in given and "--token" not in given:
                patch.delenv("TENANTRY_TOKEN")
            call(given)
        out, err = self._capsys.readouterr()
        if "functions.diff" in given:
            self._digest = DIGEST.findall(out)[0]
        return out + err

    def _scripts_new(self, arguments: list[str]) -> str:
        assert new(arguments) == 0
        return self._capsys.readouterr().out

    def _scripts_test(self, arguments: list[str]) -> str:
        command = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def matches(printed: str, expected: str) -> bool:
    """Whether all that is expected was printed, in its order; `…` stands for anything."""
    wanted = [squeezed(part) for part in expected.split(ANYTHING)]
    pattern = ".*".join(map(re.escape, wanted))
    return re.fullmatch(pattern, squeezed(printed), re.DOTALL) is not None


def squeezed(text: str) -> str:
    """Without how wide a column happens to be."""
    return " ".join(text.split())


@pytest.fixture
def reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Reader]:
    """One reader, who leaves nothing running."""
    one = Reader(tmp_path, monkeypatch, capsys)
    yield one
    one.leave()


def test_what_the_tutorial_says_is_what_happens(reader: Reader) -> None:
    for block in BLOCK.finditer(PAGE):
        if block["kind"] == "console":
            reader.type_in(block["text"])
        else:
            reader.write(block["text"])
    assert reader.commands > 30


def test_other_output_would_be_noticed() -> None:
    assert matches("a  1\nb 2\n", "a 1\n…\n")
    assert not matches("a  1\nb 2\n", "a 1\n")
    assert not matches("b 2\na 1\n", "a 1\n…")
