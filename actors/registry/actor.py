"""The Registry: owns the index, publishes routing tables, is the only writer of registry.toml.

A change is made in this order: the move is planned, the code loaded, the file replaced, the table published.
A failure before the file is replaced changes nothing. A trip, the machine's own move, is the exception: it is
in force at once, and written as soon as the file can be written.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from actors.errors import (
    Aborted,
    ActionError,
    CodeProblem,
    FailedPrecondition,
    IndexProblem,
    NotFound,
    TenantryError,
)
from actors.index.code import Codebase, changes_of, unload
from actors.index.entries import DUMMY, ERRORING, Index
from actors.index.imports import forget_folder
from actors.index.selection import Selection
from actors.log.messages import Append
from actors.messages import IndexPublished
from actors.registry.diff import describe_changes, text_difference
from actors.registry.idempotency import Receipts
from actors.registry.messages import (
    AskRunning,
    CheckHangs,
    Diff,
    Difference,
    ListReleases,
    LoadVersion,
    Look,
    MigrationsRun,
    Move,
    Moved,
    Release,
    Reload,
    Reloaded,
    RetryWrite,
    Trip,
)
from actors.registry.move_record import (
    audit_entry,
    key_of,
    log_trip,
    owner_of,
    reason,
    route_served,
    trip_entry,
)
from actors.registry.pending_trips import FILE, MACHINE, PendingTrips
from actors.registry.registry_file import Unsettled
from actors.registry.release import ReleasePlan, all_moved, keys_of, plan_release, require_loadable
from actors.registry.release_list import list_releases
from actors.registry.shared import Shared
from actors.registry.transitions import plan_transition
from actors.registry.version_states import states_of
from actors.registry.watched_files import WatchedFiles
from actors.routing.code_cache import CodeCache, Key, all_versions
from actors.routing.health import CHECK_SECONDS
from actors.routing.route import Route, route_of
from actors.routing.table import RoutingTable
from actors.runtime.actor import Actor
from actors.runtime.clock import Once
from actors.runtime.lifecycle import StartChild, supervised
from actors.runtime.mailbox import Mailbox
from actors.schema.source import did_you_mean

log = structlog.get_logger()

DRY_RUN = "dry run"
"""Reason of a version that is loaded for a dry run only."""

RETRY_WRITE_SECONDS = 10.0
"""Seconds after which a write of registry.toml that failed is retried."""


WATCH_SECONDS = 0.25
"""Seconds between two looks at the files of a server that watches them."""


class Registry(Actor):
    """Replaces the published table between two messages; calls that have started finish on their version."""

    def __init__(
        self,
        mailbox: Mailbox,
        shared: Shared,
        prepare: Callable[[RoutingTable], object] = lambda _: None,
    ) -> None:
        """`prepare` does in advance what the first request on a new table would wait for."""
        super().__init__(mailbox)
        settings, snapshot = shared.settings, shared.snapshot
        self._states = states_of(settings)
        self._snapshot = snapshot
        self._prepare = prepare
        self._audit = shared.actors.audit_log
        self._clock = shared.actors.clock
        self._directory = shared.actors.directory
        self._pending_trips = PendingTrips(snapshot.pending_trips, settings.data / FILE)
        stamp = self._states.stamp(snapshot.current.described, snapshot.file_digest)
        self._receipts = Receipts(settings.data / "moves.json", stamp)
        self._watched = WatchedFiles(settings.registry)
        self._is_settled = False
        """Whether the file's last change is known to be on disk; not known after a restart of this actor."""
        self._unsettled: Unsettled | None = None
        self._add_handlers(
            {
                Reload: self._reload,
                Diff: lambda _: self._diff(),
                MigrationsRun: self._on_migrations_run,
                Move: lambda message: self._move(Release((message,), message.receipt))[0],
                Release: self._move,
                LoadVersion: self._load_version,
                Trip: self._trip,
                CheckHangs: lambda _: self._check_hangs(),
                RetryWrite: lambda _: self._retry_write(),
                Look: lambda _: self._look(),
                ListReleases: partial(list_releases, settings.data),
                AskRunning: lambda _: self._snapshot.running_calls.running(),
            }
        )

    def snapshot(self) -> dict[str, object]:
        """Return which index is in force, and how much is in it."""
        table = self._snapshot.current
        return {
            "environment": table.environment,
            "index": table.digest,
            "actions": len(table.routes),
        }

    def on_start(self) -> None:
        """Apply the pending trips of an earlier server before the first call."""
        for move in self._pending_trips.before(self._snapshot.current.described):
            with suppress(TenantryError):  # then it may fail and be tripped again
                self._served_without(move)
        if not self._pending_trips:
            self._pending_trips.clear()
        self._retry_write()
        self._directory.tell(IndexPublished(self._snapshot.current))

    def on_stop(self) -> None:
        """What the machine did is written, if that is possible by now."""
        self._retry_write()

    # The file, edited by hand

    def _diff(self) -> Difference:
        table, new = self._snapshot.current, self._states.read()
        changes = describe_changes(table.described, new)
        found = (*changes, *_other_code(table, new), *self._states.notes())
        return Difference(new.digest, found, text_difference(table.described, new.text))

    def _reload(self, message: Reload) -> Reloaded:
        before, new = self._snapshot.current, self._states.read()
        if message.digest not in (None, new.digest):
            raise Aborted(
                f"{new.path} is not what you have seen: it was edited again; see functions.diff"
            )
        index = self._pending_trips.applied(new, self._states.edited)
        found = (*describe_changes(before.described, index), *_other_code(before, index))
        # Tenants' databases stay as they are until migrations.apply, or the next start.
        index = index._replace(storage=before.described.storage)
        if index.root != before.described.root:
            forget_folder(before.described.root)
        table = self._built(index, all_versions)
        if index.text != new.text or not self._states.is_kept(index):
            self._keep(index, new.digest, alone=True)
        self._pending_trips.clear()
        self._publish(table, index.digest)
        log.info(
            "index loaded", path=str(index.path), actions=len(table.routes), changes=len(found)
        )
        return Reloaded(index.digest, found)

    def _on_migrations_run(self, message: MigrationsRun) -> None:
        table = self._snapshot.current
        described = table.described._replace(storage=message.storage)
        self._snapshot.current = table._replace(described=described)

    def _look(self) -> None:
        """Take in what was edited; if that fails, what was served goes on, and the problem is logged."""
        if self._watched.is_still() or not self._watched.has_changed():
            return
        try:
            if changes := self._diff().changes:
                self._reload(Reload())
        except TenantryError as problem:
            log.error("what was edited is not served", problem=str(problem))
        else:
            for change in changes:
                log.info("taken in", change=change)

    # Moves

    def _move(self, message: Release) -> tuple[Moved, ...]:
        done = self._receipts.recall(message.receipt)
        if done is None:
            done = self._make(message)
        elif not self._is_settled and self._states.is_current(self._snapshot.file_digest):
            self._keep(self._snapshot.current.described, self._snapshot.file_digest)
        if self._unsettled:
            raise self._unsettled
        return done

    def _make(self, message: Release) -> tuple[Moved, ...]:
        self._states.require_current(self._snapshot.file_digest)
        plan = plan_release(self._snapshot.current.described, message, self._states.edited)
        table = self._transition_table(message, plan)
        index, done = table.described, all_moved(message, plan, table)
        stamp = self._states.stamp(index, index.digest)
        with self._receipts.keeping(message.receipt, done, stamp):
            self._keep(index, self._snapshot.file_digest)
        self._pending_trips.clear()
        self._publish(table, index.digest, message.release)
        self._audit.tell(Append(audit_entry(message, done)))
        return done

    def _keep(self, index: Index, file_digest: str, *, alone: bool = False) -> None:
        """Write where each version stands; if the sync fails, keep the change and remember the problem."""
        try:
            self._states.keep(index, file_digest, alone=alone)
        except Unsettled as problem:
            log.error("the index may not be on disk", error=str(problem))
            self._unsettled = problem
        else:
            self._unsettled = None
        self._is_settled = self._unsettled is None

    def _transition_table(self, message: Release, plan: ReleasePlan) -> RoutingTable:
        """Raise FailedPrecondition if the index could not be served as planned."""
        try:
            table = self._built(plan.described, keys_of(message).__contains__)
            require_loadable(table, message, plan)
        except (CodeProblem, IndexProblem) as problem:
            raise FailedPrecondition(f"nothing was changed: {problem}") from problem
        return table

    def _built(self, index: Index, must_recheck: Callable[[Key], bool]) -> RoutingTable:
        before = self._snapshot.current
        table = RoutingTable.build(index, before.environment, before, must_recheck)
        self._prepare(table)
        return table

    def _publish(self, table: RoutingTable, file_digest: str, release: str | None = None) -> None:
        self._snapshot.file_digest = file_digest
        self._serve(table, release)

    def _serve(self, table: RoutingTable, release: str | None = None) -> None:
        before, self._snapshot.current = self._snapshot.current, table
        for module in set(before.modules).difference(table.modules):
            unload(module)
        self._directory.tell(IndexPublished(table, release))

    # Trying

    def _load_version(self, message: LoadVersion) -> Route:
        """Load one version apart from the published table, which keeps its code."""
        index = self._snapshot.current.described
        action = index.actions.get(message.name)
        if action is None:
            raise NotFound(
                f"the index has no function {message.name!r}{did_you_mean(message.name, index.actions)}"
            )
        version = action.version(message.version)
        if version is None:
            raise NotFound(f"{message.name} has no version {message.version}")
        code_cache = CodeCache(index.root, None)
        try:
            loaded = code_cache.get(action.name, version) if version.state != DUMMY else None
        except CodeProblem as problem:
            raise FailedPrecondition(str(problem)) from problem
        return route_of(action, Selection(version, DRY_RUN), loaded)

    # The machine's move

    def _trip(self, message: Trip) -> None:
        key = key_of(message)
        owner = owner_of(self._snapshot.current.described, message.kind, message.name)
        version = owner and owner.version(message.version)
        loaded = self._snapshot.current.loaded_versions.get(key)
        if not version or loaded is None or not loaded.detector.is_tripped:
            return  # it was moved meanwhile, or its code was replaced
        move = Move(
            message.name,
            message.version,
            ERRORING,
            reason(message.failures),
            MACHINE,
            MACHINE,
            kind=message.kind,
            trace_id=message.failures[-1].trace_id,
        )
        table = self._served_without(move)
        if table is None:
            loaded.detector.reset()  # its fallback was moved meanwhile
            return
        log_trip(message, move, table)
        self._audit.tell(Append(trip_entry(move, version.state, message.failures)))
        self._retry_write()

    def _served_without(self, move: Move) -> RoutingTable | None:
        """Serve a table without this version and return it; None, and no change, without a fallback."""
        plan = plan_transition(self._snapshot.current.described, move)
        index = self._states.edited(self._snapshot.current.described, plan)
        table = self._built(index, lambda _: False)
        serving = route_served(table, move.kind, move.name)
        if serving is None or serving.taken_out:
            return None
        self._serve(table)
        self._pending_trips.add(key_of(move), plan)
        return table

    def _retry_write(self) -> None:
        """Write the pending trips; if that fails, ask the Clock for a retry."""
        if not self._pending_trips:
            return
        table = self._snapshot.current
        try:
            self._keep(table.described, self._snapshot.file_digest)
        except ActionError as error:
            log.error(
                "the index could not be written; it is served as if it were", error=str(error)
            )
            self._pending_trips.keep(table.described.root)
            self._clock.tell(Once(RETRY_WRITE_SECONDS, self.mailbox, RetryWrite()))
        else:
            self._pending_trips.clear()
            self._publish(table, table.described.digest)

    def _check_hangs(self) -> None:
        table = self._snapshot.current
        for route in {**table.routes, **table.testers}.values():
            for running in route.detector.hung_calls() if route.detector else ():
                log.error(
                    "function hung",
                    tenant=running.tenant,
                    action=route.name,
                    version=route.version,
                    trace_id=running.trace_id,
                )
                self._snapshot.report_failure(route, running)


def _other_code(table: RoutingTable, index: Index) -> list[str]:
    """Return a sentence for each served version whose code has changed since it was loaded."""
    codebase = Codebase(index.root)
    return [
        f"{name} version {number}: {change}"
        for (name, number), loaded in table.loaded_versions.items()
        for change in changes_of(loaded.code, codebase)
    ]


def children(shared: Shared, prepare: Callable[[RoutingTable], object]) -> list[StartChild]:
    """Return the Registry; `prepare` does in advance what the first request on a new table would wait for."""
    timers: list[tuple[float, object]] = [(CHECK_SECONDS, CheckHangs())]
    if shared.settings.watch:
        timers.append((WATCH_SECONDS, Look()))
    start = partial(Registry.start, shared=shared, prepare=prepare)
    return [supervised(shared.actors.registry, start, *timers)]
