"""The Recorder: whatever fails, and whatever else is recorded, what was done stands in the log once."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pykka._envelope import Envelope

from actors.admin.console.audit import OK, AuditWriter
from actors.errors import AuditProblem, Unavailable
from actors.log.messages import ACTION, Append, AuditEntry
from actors.runtime.futures import (
    Awaiting,
    CoroutineDriver,
    Raised,
    Returned,
    Step,
    resolve,
    resolve_with_error,
)
from actors.runtime.mailbox import Mailbox


class Log(Mailbox):
    """The admin log's mailbox: what is asked waits until the test answers it."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        super().__init__("audit log", lambda _: None)
        self.asked: deque[Envelope[Any]] = deque()

    def tell(self, message: Any) -> None:
        """Keep it."""
        self.asked.append(message)


class Bench:
    """A audit, and all functions that are stepped through it."""

    def __init__(self) -> None:
        self.backlog: deque[AuditEntry] = deque()
        self.log = Log()
        self.audit = AuditWriter(self.log, self.backlog)
        self.written: list[str] = []
        self.ended: dict[str, Step] = {}
        self._waiting: list[tuple[str, CoroutineDriver, Awaiting]] = []

    def start(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Step a function to its first wait."""
        driver = CoroutineDriver(coroutine)
        self._note(name, driver, driver.step())

    def answer(self, fails: bool) -> None:
        """Answer the oldest question, and step on the one who asked it."""
        if not self.log.asked:
            return
        envelope = self.log.asked.popleft()
        assert isinstance(envelope.message, Append)
        if fails:
            resolve_with_error(envelope.reply_to, AuditProblem("no room"))
        else:
            self.written.append(envelope.message.entry.action)
            resolve(envelope.reply_to, len(self.written))
        for each in [each for each in self._waiting if each[2].awaited.done()]:
            self._waiting.remove(each)
            name, driver, awaiting = each
            self._note(name, driver, driver.step(awaiting.awaited))

    def finish(self, *, fails: bool = False) -> None:
        """Answer until no caller asks any more."""
        while self.log.asked:
            self.answer(fails)

    def _note(self, name: str, driver: CoroutineDriver, step: Step) -> None:
        if isinstance(step, Awaiting):
            self._waiting.append((name, driver, step))
        else:
            self.ended[name] = step


def entry(name: str) -> AuditEntry:
    """Something that was done."""
    return AuditEntry(ACTION, name, "owner", outcome=OK)


def unavailable(step: Step) -> bool:
    """Whether a function was told that nothing is done now."""
    return isinstance(step, Raised) and isinstance(step.error, Unavailable)


@given(st.lists(st.sampled_from(["call", "answer", "fail", "remind"]), max_size=40))
def test_what_was_done_is_written_once(events: list[str]) -> None:
    """However calls, failures and attempts to catch up are mixed: nothing is lost, nothing is there twice."""
    bench = Bench()
    names = []
    for number, event in enumerate(events):
        if event == "call":
            names.append(f"n{number}")
            bench.start(names[-1], bench.audit.after(entry(names[-1])))
        elif event == "remind":
            bench.start(f"reminder {number}", bench.audit.retry_backlog())
        else:
            bench.answer(fails=event == "fail")
    bench.finish()
    bench.start("last reminder", bench.audit.retry_backlog())
    bench.finish()

    assert sorted(bench.written) == sorted(names)
    assert not bench.audit.has_backlog
    assert all(bench.ended[name] == Returned(None) for name in names)


def test_what_is_kept_is_written_before_anything_newer() -> None:
    """Records stand in the order in which things happened."""
    bench = Bench()
    for name in ("first", "second"):
        bench.start(name, bench.audit.after(entry(name)))
        bench.finish(fails=True)
    bench.start("third", bench.audit.after(entry("third")))
    bench.finish()
    assert bench.written == ["first", "second", "third"]


def test_while_somebody_catches_up_nothing_is_begun() -> None:
    """Whether all will be written is not known yet."""
    bench = Bench()
    bench.start("done", bench.audit.after(entry("done")))
    bench.finish(fails=True)
    bench.start("reminder", bench.audit.retry_backlog())
    bench.start("write", bench.audit.require_writable(writes=True))
    bench.start("ahead", bench.audit.before(entry("ahead")))
    bench.start("read", bench.audit.require_writable(writes=False))

    assert unavailable(bench.ended["write"])
    assert unavailable(bench.ended["ahead"])
    assert bench.ended["read"] == Returned(None)
    bench.finish()
    bench.start("write again", bench.audit.require_writable(writes=True))
    assert bench.ended["write again"] == Returned(None)


def test_nothing_is_kept_of_what_was_not_done() -> None:
    """An intent that could not be written was none."""
    bench = Bench()
    bench.start("ahead", bench.audit.before(entry("ahead")))
    bench.finish(fails=True)
    assert unavailable(bench.ended["ahead"])
    assert not bench.audit.has_backlog
