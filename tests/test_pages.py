"""README.md and pages of docs/, done word for word in a fresh copy, in the terminals they speak of.

Files are written, commands are pasted, and print what the page says. Nothing is set beyond that: where the
page says `…` within a token or a digest, the reader takes what was printed before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deadline import until
from tests.terminal import Terminal, copy_of_the_repository, hold_network, own_network

BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?P<name>\S+\.\w+)(?P<continued>, continued)?$")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
TOKEN = re.compile(r"\btnt_[\w-]+")
ENVIRONMENT = re.compile(r" --environment (?P<name>\S+)")
ANYTHING = "…"

NOT_RUN = "scripts/test "
"""The one command that is left out: this test is part of it."""


class Reader:
    """A person who follows a page from its first line to its last, with a terminal for each server."""

    def __init__(self, directory: Path, terminal: Callable[[], Terminal]) -> None:
        self._directory = directory
        self._terminal = terminal
        self._shell, self._server = terminal(), terminal()
        self._serves: str | None = None
        self._tokens: list[str] = []
        self._diff = ""
        self.commands = 0

    def follow(self, page: str) -> None:
        """Do what the blocks say, in their order."""
        for block in BLOCK.finditer((self._directory / page).read_text()):
            if block["kind"] == "console":
                self._paste(block["text"])
            elif block["kind"] in {"python", "toml"}:
                self._write(block["text"])

    def _write(self, text: str) -> None:
        """A file, which the first line names; a block without a name is only to be read."""
        first, _, content = text.partition("\n")
        if (file := FILE.fullmatch(first)) is None:
            return
        path = self._directory / file["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if file["continued"] else ""
        path.write_text(before + content)

    def _paste(self, text: str) -> None:
        """Commands, each with what it ought to print."""
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            if command.startswith(NOT_RUN) and not expected:
                continue
            self.commands += 1
            self._check(self._filled(command), expected)

    def _check(self, command: str, expected: str) -> None:
        printed = self._run(command)
        if " functions.show " in command and not matches(printed, expected):
            # What the machine does by itself, a reader sees a moment later.
            until(lambda: matches(self._run(command), expected), expected)
            return
        if expected.strip() in {"", ANYTHING}:
            assert self._shell.status == 0, f"$ {command}\n{printed}"
        else:
            assert matches(printed, expected), f"$ {command}\n{printed}\n--- expected\n{expected}"

    def _filled(self, command: str) -> str:
        """The command with the whole token or digest, which the page cuts short."""
        command = re.sub(r"tnt_\w*…", lambda _: self._tokens[-1], command)
        return re.sub(r"digest=\w*…", lambda _: f"digest={DIGEST.findall(self._diff)[0]}", command)

    def _run(self, command: str) -> str:
        if command.startswith("scripts/serve"):
            return self._serve(command)
        if command.startswith("export TENANTRY_DATA="):
            self._leave()
            self._server.type_in(command)
        printed = self._shell.type_in(command)
        if " functions.diff" in command:
            self._diff = printed
        return printed

    def _serve(self, command: str) -> str:
        """Start the server, in place of the one before; one of another environment in a terminal of its own.

        With `--adopt` a page has environments take turns.
        """
        environment = ENVIRONMENT.search(command)
        name = environment["name"] if environment else ""
        if self._serves and name and name != self._serves and "--adopt" not in command:
            self._server = self._terminal()
        else:
            self._leave()
        self._serves = name or "local-dev"
        printed = self._server.start(command, until="ready ")
        self._tokens += TOKEN.findall(printed)
        return printed

    def _leave(self) -> None:
        if self._serves:
            self._server.interrupt()
        self._serves = None


def matches(printed: str, expected: str) -> bool:
    """Whether all that is expected was printed, in its order; `…` stands for anything."""
    wanted = [squeezed(part) for part in expected.split(ANYTHING)]
    pattern = ".*".join(map(re.escape, wanted))
    return re.fullmatch(pattern, squeezed(printed), re.DOTALL) is not None


def squeezed(text: str) -> str:
    """Without how wide a column happens to be."""
    return " ".join(text.split())


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """One reader, who leaves nothing running."""
    directory = copy_of_the_repository(tmp_path / "tenantry")
    network = hold_network()
    opened: list[Terminal] = []

    def terminal() -> Terminal:
        opened.append(Terminal(directory, own_network(network)))
        return opened[-1]

    yield Reader(directory, terminal)
    for each in opened:
        each.close()
    if network is not None:
        network.kill()
        network.communicate()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("page", "commands"),
    [
        *(("README.md", 10), ("docs/tutorial.md", 35), ("docs/requests.md", 20)),
        ("docs/tutorial-release.md", 45),
    ],
)
def test_what_the_page_says_is_what_happens(reader: Reader, page: str, commands: int) -> None:
    reader.follow(page)
    assert reader.commands >= commands


def test_other_output_would_be_noticed() -> None:
    assert matches("a  1\nb 2\n", "a 1\n…\n")
    assert not matches("a  1\nb 2\n", "a 1\n")
    assert not matches("b 2\na 1\n", "a 1\n…")
