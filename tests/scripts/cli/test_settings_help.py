"""The help of serve, gateway and dashboard is printed without their settings: it is what these print."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from actors.settings import read_settings as read_server
from scripts.cli.settings_help import FILE, print_help
from scripts.cli.settings_options import options
from scripts.web.settings import read_settings as read_dashboard
from transport.gateway.settings import read_settings as read_gateway

READ: dict[str, Callable[[list[str]], object]] = {
    "serve": read_server,
    "gateway": read_gateway,
    "dashboard": read_dashboard,
}

Ended = tuple[object, str, str]
"""Exit status, standard output, standard error."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Call a function that exits; its status, and what it has printed on both streams."""

    def run(print_or_read: Callable[..., object], *given: object) -> Ended:
        with pytest.raises(SystemExit) as ended:
            print_or_read(*given)
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_options_are_those_of_the_settings() -> None:
    """`python -m scripts.cli.settings_options` writes them."""
    assert FILE.read_text(encoding="utf-8") == options()


@pytest.mark.parametrize("columns", ["40", "80", "200"])
@pytest.mark.parametrize("name", READ)
def test_help_is_as_wide_as_the_terminal(
    name: str,
    columns: str,
    run: Callable[..., Ended],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    printed = run(print_help, name, ["--help"])
    assert printed == run(READ[name], ["--help"])
    assert printed[0] == 0
    assert len(printed[1]) > 1000


@pytest.mark.parametrize(
    "arguments",
    [
        ["-h", "--nonsense"],
        ["--nonsense", "--help"],
        ["nonsense", "-h"],
        ["--port", "1", "--port=x", "--help"],
        ["--demo", "--no-demo", "--plain", "--help"],
        ["--tenant", "a", "--tenant=b", "--help"],
        ["--trusted-proxies", "10.0.0.1", "-h"],
        ["--demo=yes", "--help"],
        ["--plain=yes", "--help"],
        ["--data", "--help"],
        ["--curve-keys", "-h"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", READ)
def test_help_among_other_arguments_is_printed_or_refused_as_the_settings_do(
    name: str,
    arguments: Sequence[str],
    run: Callable[..., Ended],
) -> None:
    assert run(print_help, name, arguments) == run(READ[name], list(arguments))


@pytest.mark.parametrize("name", READ)
def test_without_a_wish_for_help_nothing_is_printed(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_help(name, ["--port", "0", "--", "help"])
    print_help("call", ["--help"])
    assert capsys.readouterr() == ("", "")


def test_help_behind_two_hyphens_is_no_wish(capsys: pytest.CaptureFixture[str]) -> None:
    print_help("serve", ["--", "--help"])
    assert capsys.readouterr() == ("", "")
