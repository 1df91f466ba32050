"""A pool of threads on which many actors take their turns, and the token that lets one of them compute.

One thread per tenant lost 3-4 times the throughput to GIL convoys at 16 tenants (docs/benchmark.md). So a
mailbox with mail is queued here, runs one turn on some thread, and is handed back. When every thread has been
in its turn for long (a function that blocks), a thread is added, so that other actors get their turns. It
ends again when as many threads as the pool's size are free: under a load that never pauses, a slow disk would
otherwise add one with each of its hiccups, and they would stay.

The ComputeToken is the right to run Python, which one thread has at a time. Threads of one process that run
Python at once fight for the GIL at every call into SQLite and ZeroMQ; on an idle machine with two processors
that doubled the cost of a message (docs/decisions/0004-turns-and-threads.md). So a thread acquires the token
before it computes, and releases it before it waits for mail or for a disk. From a thread that holds the token
for long (a function that blocks, a long statement) it is stolen, so that no other thread is held up; where
turns or many light messages follow each other it is handed on in between, before that. After a heavy
message, and while the router refuses many, a thread that has had it for OFFER_AFTER offers it to those that
wait: a turn of many heavy messages delays others by about one of them. It is handed on by a queue, as a
message is.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue

from actors.runtime.mailbox import Mailbox

STEAL_AFTER = 0.01
"""Seconds after which a thread that waits may steal the token from the thread that holds it."""

OFFER_AFTER = 0.002
"""Seconds for which a thread computes before it offers the token to others that wait."""

HAND_ON_AFTER = 0.005
"""Seconds for which a thread computes, turn after turn, before it hands the token on to others that wait."""

Hold = deque[None]
"""One thread's hold of the token: has one element while it is valid. Popping that element ends it."""

EXPIRED: Hold = deque()


class Waiters:
    """Threads that wait for the token with the same urgency."""

    __slots__ = ("queue", "waiting")

    def __init__(self) -> None:
        self.queue: SimpleQueue[None] = SimpleQueue()
        """The token, on its way to one of them."""
        self.waiting: deque[None] = deque()
        """One element for each thread."""


class ComputeToken:
    """The right to run Python. One token for the router and the threads of the tenants.

    Of the threads that wait, those that have waited for STEAL_AFTER go first, then a router's that has
    offered it, then those that begin a turn, then those in the middle of one. A thread that comes may take
    the token before one of the same urgency that was woken for it, again and again.
    """

    def __init__(self) -> None:
        self._free: SimpleQueue[None] = (
            SimpleQueue()
        )  # one element while no thread computes or waits
        self._free.put(None)
        self._overdue, self._urgent, self._beginning, self._going_on = self._waiters = (
            Waiters(),
            Waiters(),
            Waiters(),
            Waiters(),
        )
        self._right = EXPIRED
        self._since = 0.0
        self._mine = threading.local()

    def acquire(self) -> None:
        """Wait for the token, or steal it from a thread that holds it too long. No effect if held already."""
        if not self._held():
            self._acquire(self._beginning)

    def release(self) -> None:
        """Let another thread compute. No effect if the token was stolen, or is not held."""
        if self._end(self._held()):
            self._pass_on()

    def offer(self) -> None:
        """Let all others that wait compute first if this thread has computed for OFFER_AFTER seconds.

        A thread from which the token was stolen waits for it, too.
        """
        self._let_others(OFFER_AFTER, self._going_on)

    def hand_on(self) -> None:
        """Let all others that wait compute first, as `offer`, after HAND_ON_AFTER seconds.

        For a thread between two turns, or between light messages: the token would otherwise be stolen from
        it, later, and two threads would compute until its turn ends.
        """
        self._let_others(HAND_ON_AFTER, self._going_on)

    def offer_once(self) -> None:
        """Let one other that waits compute first, as `offer`. For the router's thread."""
        self._let_others(OFFER_AFTER, self._urgent)

    def _let_others(self, after: float, waiters: Waiters) -> None:
        """Pass the token on if another waits and this thread has had it for so long; then wait in turn."""
        if not self._held() or (self._is_wanted() and time.monotonic() - self._since > after):
            self.release()
            self._acquire(waiters)

    def _is_wanted(self) -> bool:
        waits = self._beginning.waiting or self._urgent.waiting or self._going_on.waiting
        return bool(waits or self._overdue.waiting)

    def _pass_on(self) -> None:
        """Hand the token to those that wait, the most urgent first; free it if there are none."""
        while True:
            for waiters in self._waiters:
                if waiters.waiting:
                    waiters.queue.put(None)
                    return
            self._free.put(None)
            # One may have begun to wait since it was looked for, and have seen the token, or not.
            if not (self._is_wanted() and self._took_free()):
                return

    def _acquire(self, waiters: Waiters) -> None:
        if not self._took_free():
            self._wait(waiters)
        self._since = time.monotonic()
        self._mine.right = self._right = deque([None])

    def _took_free(self) -> bool:
        if self._free.empty():  # an exception costs more than a look
            return False
        with suppress(Empty):
            self._free.get_nowait()
            return True
        return False

    def _wait(self, waiters: Waiters) -> None:
        """Wait until the token is handed over, or steal it."""
        waiters.waiting.append(None)
        while not (self._took_free() or self._handed_over(waiters)):
            if time.monotonic() - self._since > STEAL_AFTER and self._end(self._right):
                break
            if waiters is not self._overdue:  # it has waited for long
                waiters.waiting.pop()
                waiters = self._beginning if waiters is self._going_on else self._overdue
                waiters.waiting.append(None)
        waiters.waiting.pop()

    def _held(self) -> Hold:
        right: Hold = getattr(self._mine, "right", EXPIRED)
        return right

    def _handed_over(self, waiters: Waiters) -> bool:
        """Wait for STEAL_AFTER; then look where the token may be for a thread that waits there no more."""
        with suppress(Empty):
            waiters.queue.get(timeout=STEAL_AFTER)
            return True
        for others in self._waiters:
            with suppress(Empty):
                others.queue.get_nowait()
                return True
        return False

    def _end(self, right: Hold) -> bool:
        with suppress(IndexError):
            right.pop()
            return True
        return False


STALLED_AFTER = 0.05
"""Seconds in one turn after which a thread counts as blocked; a turn ends after 0.02 s and a commit."""

IDLE_AFTER = 5.0
"""Seconds without work after which a thread above the pool's size ends."""


class Dispatcher:
    """Runs scheduled mailboxes on `threads` threads, and on up to `max_threads` while some are blocked.

    One thread runs mailbox after mailbox, and one more stands by: it waits for the compute token, and goes on
    as soon as the first commits, or if a function blocks it. Others sleep, since each thread that is woken
    costs two hand-overs and has other data in its processor's caches.
    """

    def __init__(
        self,
        name: str,
        threads: int = 1,
        max_threads: int | None = None,
        token: ComputeToken | None = None,
    ) -> None:
        """With a token, one of its threads computes at a time (actors/runtime/scheduler.py)."""
        self.name = name
        self._size = threads
        self._token = token or ComputeToken()
        self._max_threads = max_threads or threads
        self._ready: deque[Mailbox] = deque()
        self._calls: SimpleQueue[bool] = SimpleQueue()
        """To threads that sleep: True to stand by, False to run what is ready and end."""
        self._standby: deque[None] = deque([None])  # empty while a thread is called, or stands by
        self._workers: dict[
            threading.Thread, float
        ] = {}  # thread → monotonic start of its turn; 0.0 idle
        self._extra: deque[None] = deque()  # one element for each thread that may end again
        self._made = 0
        for _ in range(threads):
            self._add()

    def schedule(self, mailbox: Mailbox) -> None:
        """Queue a mailbox for a turn. The caller holds its token, which goes with it."""
        self._ready.append(mailbox)
        self._call()

    @property
    def threads(self) -> int:
        """The number of threads now."""
        return len(self._workers)

    def grow_if_blocked(self) -> bool:
        """Add a thread if mail waits and every thread is blocked; return whether one was added.

        Called often, by one thread only.
        """
        if not self._ready or len(self._workers) >= self._max_threads:
            return False
        before = time.monotonic() - STALLED_AFTER
        if any(not began or began > before for began in list(self._workers.values())):
            return False
        try:
            self._add()
        except RuntimeError:  # no more threads or memory: the existing ones run on
            return False
        self._extra.append(None)
        self._call()
        return True

    def stop(self, timeout: float = 5.0) -> bool:
        """End every thread after its turn; return False if one is still blocked after `timeout` seconds."""
        workers = list(self._workers)
        for _ in workers:
            self._calls.put(False)
        deadline = time.monotonic() + timeout
        for worker in workers:
            if worker is not threading.current_thread():
                worker.join(max(0.0, deadline - time.monotonic()))
        return not any(worker.is_alive() for worker in workers)

    def _add(self) -> None:
        self._made += 1
        # Daemon: a function that never returns must not keep a stopped process alive.
        worker = threading.Thread(target=self._work, name=f"{self.name}-{self._made}", daemon=True)
        self._workers[worker] = 0.0
        try:
            worker.start()
        except RuntimeError:
            del self._workers[worker]  # it would count as idle for ever
            raise

    def _call(self) -> None:
        """Have a thread stand by if none does. Mail that is ready is served by it, or before it."""
        if self._standby:
            with suppress(IndexError):
                self._standby.pop()
                self._calls.put(True)

    def _work(self) -> None:
        me = threading.current_thread()
        goes_on = True
        while goes_on:
            call = self._next_call()
            if call is None:
                break
            self._token.acquire()
            if call:
                self._standby.append(None)
            goes_on = self._run_ready(me) and call
            self._token.release()
        del self._workers[me]

    def _run_ready(self, me: threading.Thread) -> bool:
        """Run what is ready; return False if this thread is no longer needed."""
        ready = self._ready
        while ready:
            try:
                mailbox = ready.popleft()
            except IndexError:
                break
            if ready and len(self._workers) > 1:
                self._call()
            self._workers[me] = time.monotonic()
            mailbox.run()
            self._workers[me] = 0.0
            if self._extra and self._is_oversized() and self._claim_exit():
                self._call()
                return False
            if ready:
                self._token.hand_on()
        return True

    def _next_call(self) -> bool | None:
        """Wait to be called; None if this thread is no longer needed."""
        while True:
            try:
                return self._calls.get(timeout=IDLE_AFTER)
            except Empty:
                if self._claim_exit():
                    return None

    def _is_oversized(self) -> bool:
        """Return whether more threads than the pool's size are not blocked."""
        before = time.monotonic() - STALLED_AFTER
        free = sum(not began or began > before for began in list(self._workers.values()))
        return free > self._size

    def _claim_exit(self) -> bool:
        try:
            self._extra.pop()
        except IndexError:
            return False
        return True
