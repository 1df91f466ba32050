"""The program's own log: a record for each event, without secrets; no actor waits for it or fails by it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from actors.log import events as module
from actors.log.error_record import MAX_MESSAGE, MAX_STACK
from actors.log.events import Events, SecretParams, ToStructlog
from actors.log.messages import ErrorEvent
from actors.log.redaction import SECRET
from actors.runtime.mailbox import Mailbox

NEEDLE = "hunter2-XYZZY"
TOKEN = "tnt_" + "Ab-9_" * 8
SCHEMA = {"properties": {"pin": {"type": "string", "writeOnly": True}}}


class Desk:
    """A logger of its own, what it wrote to standard error, and what the ErrorLog would be told."""

    def __init__(self, *, readable: bool = False) -> None:
        self.file = io.StringIO()
        self.events = Events(lambda: 1_800_000_000.25, readable=readable)
        self.mailbox = Mailbox("error log", lambda _: None, limit=3)
        self.events.connect(self.mailbox)
        self.log: Any = structlog.wrap_logger(
            structlog.PrintLogger(self.file),
            processors=self.events.processors(),
            wrapper_class=structlog.make_filtering_bound_logger(0),
        )

    def lines(self) -> list[dict[str, Any]]:
        """Of standard error."""
        return [json.loads(line) for line in self.file.getvalue().splitlines()]

    def told(self) -> list[dict[str, Any]]:
        """What the ErrorLog has not read yet."""
        found = []
        for message in self.mailbox.take_up_to(100):
            assert isinstance(message, ErrorEvent)
            found.append(dict(message.record))
        return found


@pytest.fixture
def desk() -> Desk:
    """JSON, as where standard error is no terminal."""
    return Desk()


def failure(raise_: Callable[[], object]) -> Exception:
    """What that raises, with its traceback."""
    try:
        raise_()
    except Exception as error:  # noqa: BLE001 - it is what the test is about
        return error
    raise AssertionError


def boom(text: str) -> Callable[[], object]:
    """Fails with this text."""

    def raise_() -> object:
        raise ValueError(text)

    return raise_


def test_an_error_is_told_and_written(desk: Desk) -> None:
    """With where it comes from, what it is about, and how it came to that."""
    error = failure(boom("no such thing"))
    desk.log.error(
        "function failed", tenant="acme", tenant_id="f" * 32, trace_id="0", exc_info=error
    )

    (told,) = desk.told()
    stack = told["exception"].pop("stack")
    assert list(told)[:9] == [
        *(
            "at",
            "level",
            "event",
            "source",
            "tenant",
            "tenant_id",
            "action",
            "trace_id",
            "exception",
        )
    ]
    assert told == {
        "at": 1_800_000_000.25,
        "level": "error",
        "event": "function failed",
        "source": __name__,
        "tenant": "acme",
        "tenant_id": "f" * 32,
        "action": None,
        "trace_id": "0",
        "exception": {"type": "ValueError", "message": "no such thing"},
    }
    assert stack.startswith("Traceback (most recent call last):\n")
    assert "raise ValueError(text)" in stack
    (line,) = desk.lines()
    assert line["at"] == "2027-01-15T08:00:00.250Z"
    assert line["exception"]["stack"] == stack
    assert "action" not in line


def test_only_what_went_wrong_is_told(desk: Desk) -> None:
    """The rest is for standard error."""
    for level in ("debug", "info", "warning", "error", "critical", "exception"):
        getattr(desk.log, level)(level)
        desk.mailbox.limit = 10

    assert [each["event"] for each in desk.told()] == ["warning", "error", "critical", "exception"]
    assert len(desk.lines()) == 6


def test_without_an_error_log_there_is_standard_error(desk: Desk) -> None:
    """Before it is there and after it has left."""
    desk.events.disconnect()
    desk.log.error("late")

    assert desk.told() == []
    assert desk.lines()[0]["event"] == "late"


def test_what_is_aside_is_for_standard_error_alone(desk: Desk) -> None:
    """So that the ErrorLog is not told of itself."""
    desk.log.error("one", aside=True)
    with structlog.contextvars.bound_contextvars(aside=True):
        desk.log.error("two")

    assert desk.told() == []
    assert [each["event"] for each in desk.lines()] == ["one", "two"]
    assert "aside" not in desk.file.getvalue()


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ({"actor": "error log"}, "error log"),
        ({"actor": "tenant acme", "tenant": "acme"}, "tenant"),
        ({"actor": "tenant log"}, "tenant log"),
        ({"source": "zmq"}, "zmq"),
    ],
)
def test_the_source_is_the_actor_where_one_is_named(
    desk: Desk, said: dict[str, str], source: str
) -> None:
    """Of tenants, the name stands beside it."""
    desk.log.error("x", **said)

    (told,) = desk.told()
    assert (told["source"], told["tenant"]) == (source, said.get("tenant"))


def test_libraries_are_heard_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they tell the standard library's logging, at whatever level."""
    monkeypatch.setattr(structlog, "get_logger", lambda **said: desk.log.bind(**said))
    logger = logging.Logger("some.library")
    logger.addHandler(ToStructlog())
    logger.log(35, "odd %s", TOKEN)
    logger.error("bad", exc_info=failure(boom("why")))

    odd, bad = desk.told()
    assert (odd["level"], odd["event"]) == ("warning", f"odd tnt_{SECRET}")
    assert (bad["source"], bad["exception"]["message"]) == ("some.library", "why")


# ---------------------------------------------------------------- secrets


@pytest.mark.parametrize("readable", [False, True])
def test_no_secret_gets_through(readable: bool) -> None:
    """In the event, its fields, an exception, its cause, or what a request held; nor to a terminal."""
    desk = Desk(readable=readable)
    desk.events.hide(["iban"])
    cause = failure(boom(f"pin {NEEDLE} in a cause, {TOKEN}"))
    error = ValueError(f"pin {NEEDLE!r}, password=mellon-1, iban: mellon-2")
    error.__cause__ = cause
    error.add_note(f"noted {NEEDLE}")
    desk.log.error(
        f"failed with {TOKEN} and password=mellon-3",
        api_key="mellon-4",
        deep=[{"iban": "mellon-5", "note": f"{NEEDLE} {TOKEN}"}],
        exc_info=error,
        confidential=SecretParams({"pin": NEEDLE}, SCHEMA),
    )

    said = desk.file.getvalue() + json.dumps(desk.told())
    assert "failed with" in said
    assert "in a cause" in said
    assert not re.findall(r"hunter2|mellon|Ab-9|SecretParams", said)


def test_a_request_that_is_confidential_shows_nothing_of_itself() -> None:
    """Where something else than Events makes the line."""
    assert NEEDLE not in repr(SecretParams({"pin": NEEDLE}, SCHEMA))


# ---------------------------------------------------------------- never in the way


class Mute:
    """An object that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError(NEEDLE)

    __repr__ = __str__


class MuteError(Exception):
    """An exception that cannot be told."""

    __str__ = Mute.__str__
    __repr__ = Mute.__repr__


def recursion() -> object:
    """Fails as Python does on it."""
    return recursion()


@pytest.mark.parametrize(
    "said",
    [
        {"thing": Mute()},
        {"exc_info": MuteError()},
        {"exc_info": "nonsense"},
        {"exc_info": failure(recursion)},
        {"exc_info": ExceptionGroup("many", [failure(boom("one")), MuteError()])},
        {"exception": "text"},
        {"thing": {1: b"\x00", "\ud800": float("nan")}},
        {"confidential": "nonsense"},
        {"at": "never", "source": None},
    ],
)
def test_whatever_is_logged_is_told(desk: Desk, said: dict[str, Any]) -> None:
    """Anyone who logs has trouble enough."""
    desk.log.error("odd", **said)

    (told,) = desk.told()
    assert told["event"] == "odd"
    assert desk.lines()[0]["event"] == "odd"
    json.dumps(told, allow_nan=False).encode()


def test_an_event_that_cannot_be_told_at_all_is_mentioned(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours is not the caller's."""
    monkeypatch.setattr(module, "clean", boom(NEEDLE))
    desk.log.error("odd")

    assert desk.lines() == [{"event": "an event could not be logged", "problem": "TypeError"}]


def test_long_texts_are_cut(desk: Desk) -> None:
    """The beginning and the end stay."""
    error = failure(boom("a" + "x" * 100_000 + "z"))
    desk.log.error("e" * 100_000, exc_info=error)

    (told,) = desk.told()
    assert len(told["event"]) == MAX_MESSAGE
    assert len(told["exception"]["message"]) == MAX_MESSAGE
    assert len(told["exception"]["stack"]) == MAX_STACK
    assert told["exception"]["message"].startswith("ax")


def test_an_error_log_that_does_not_keep_up_loses_and_is_told_so(desk: Desk) -> None:
    """No caller waits for it, and memory is bounded."""
    for number in range(7):
        desk.log.error(f"number {number}")
    assert [each["event"] for each in desk.told()] == ["number 0", "number 1", "number 2"]

    desk.log.error("number 7")

    after, lost = desk.told()
    assert after["event"] == "number 7"
    assert lost["event"].startswith("4 records lost between 2027-01-15T08:00:00.250Z and ")
    assert (lost["lost"], lost["level"]) == (4, "error")
    assert len(desk.lines()) == 8


def test_a_line_and_its_end_are_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed beside them, as `ready` on a terminal, cannot come between."""
    reading, writing = os.pipe2(os.O_DIRECT)  # a reader gets each write by itself
    before = structlog.get_config()
    with os.fdopen(reading, "rb", buffering=0) as reader, os.fdopen(writing, "w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        try:
            module.log_to_standard_error()
            structlog.get_logger().warning("is whole")
        finally:
            structlog.configure(**before)
        written = reader.read(10_000)
    assert b"is whole" in written
    assert written.endswith(b"\n")


def test_people_get_lines_to_read() -> None:
    """On a terminal."""
    desk = Desk(readable=True)
    desk.log.error("function failed", tenant="acme", exc_info=failure(boom("why")))

    said = desk.file.getvalue()
    assert "2027-01-15T08:00:00.250Z" in said
    assert "function failed" in said
    assert "\nValueError: why" in said
    assert not said.startswith("{")


@pytest.mark.parametrize("readable", [False, True])
def test_nothing_that_is_logged_acts_on_a_terminal(readable: bool) -> None:
    """Anyone who reads standard error may look at it in one."""
    desk = Desk(readable=readable)
    hostile = "A\x9b31mB\x85C\u202eD\u200bE\x7fF\u2028G\x07"
    desk.log.error(hostile, thing={"a": [hostile]}, name=hostile, exc_info=ValueError(hostile))

    shown = desk.file.getvalue()
    assert "\\u009b31m" in shown
    assert not set(hostile) - set("ABCDEFG31m") & set(shown)
