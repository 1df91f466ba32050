"""The IntentMonitor: counts suspicions in leaky buckets and takes the steps of the ladder.

It alone holds what is counted. Nothing waits for it: channels and tenants send what they refuse anyway, in
batches, after their replies. It slows by publishing `Slowdowns`, and has the Directory suspend a token.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import structlog

from actors.access import MACHINE
from actors.admin.intent_messages import (
    ClearStanding,
    ListStandings,
    SuspendToken,
    Sweep,
    TokenSuspended,
)
from actors.host.clocks import rfc3339
from actors.intent.buckets import Buckets
from actors.intent.signals import ADDRESS, STEPS, SUSPEND, TENANT, TOKEN, IntentRules, Signal, eased
from actors.intent.standings import Standing, Standings, Subject
from actors.intent.suspicions import LogStep, Slowdowns, Suspicion, Suspicions
from actors.log.messages import ALERT, OK, Append, AuditEntry
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Mailbox

log = structlog.get_logger()

SWEEP_SECONDS: Final = 5.0
"""Seconds between two sweeps."""

EVENT: Final = "intent"
"""The event of the log lines about steps; scripts/hosting has filters that read it."""


class IntentPeers(NamedTuple):
    """Where the IntentMonitor sends its messages."""

    directory: Mailbox
    audit: Mailbox
    router: Mailbox


class IntentMonitor(Actor):
    """Owns the buckets and the standings of all tokens, tenants and addresses."""

    def __init__(
        self,
        mailbox: Mailbox,
        peers: IntentPeers,
        snapshot: RoutingSnapshot,
        slowdowns: Slowdowns,
        clock: Callable[[], float] = time.monotonic,
        epoch: Callable[[], float] = time.time,
    ) -> None:
        """The monitor alone writes `slowdowns`."""
        super().__init__(mailbox)
        self._peers = peers
        self._snapshot = snapshot
        self._slowdowns = slowdowns
        self._clock = clock
        self._epoch = epoch
        self._buckets = Buckets()
        self._standings = Standings()
        self._unconfirmed: dict[str, SuspendToken] = {}
        self._rules = snapshot.current.described.intent
        self._add_handlers(
            {
                Suspicions: self._count,
                Sweep: self._sweep,
                ListStandings: self._list,
                ClearStanding: self._clear,
                TokenSuspended: lambda message: self._unconfirmed.pop(message.token, None),
            }
        )

    def on_start(self) -> None:
        """An incarnation begins with nothing held against anything; suspensions are the Directory's."""
        self._publish()

    def snapshot(self) -> dict[str, Any]:
        """Return how much is counted."""
        return {"buckets": len(self._buckets), "standings": len(self._standings)}

    # Counting

    def _count(self, message: Suspicions) -> None:
        now, rules = self._clock(), self._adopt()
        for suspicion in message.suspicions:
            for signal in rules.signals:
                if suspicion.outcome in signal.outcomes and signal.counts(suspicion.request.action):
                    self._pour(signal, suspicion, now)

    def _adopt(self) -> IntentRules:
        rules = self._snapshot.current.described.intent
        if rules is not self._rules:
            self._rules, self._buckets = rules, Buckets()
        return rules

    def _pour(self, signal: Signal, suspicion: Suspicion, now: float) -> None:
        subject = subject_of(signal, suspicion)
        if subject is None or not self._buckets.pour(
            signal, subject.id, key_of(signal, suspicion), now
        ):
            return
        if suspicion.caller.scope is not None:
            signal = eased(signal)
        standing = self._standings.climb(subject, signal, self._rules, now, self._epoch())
        if standing is not None:
            self._take_step(standing, signal, suspicion)
        elif (again := self._standings.log_again(subject.id, now)) is not None:
            self._log(again, signal, suspicion)

    # Steps

    def _take_step(self, standing: Standing, signal: Signal, suspicion: Suspicion) -> None:
        self._publish()
        subject, why = standing.subject, explanation(signal)
        if standing.step == SUSPEND:
            order = SuspendToken(subject.id, why, self.mailbox)
            self._unconfirmed[subject.id] = order
            self._peers.directory.tell(order)
        self._record(standing, why, suspicion)
        self._log(standing, signal, suspicion)

    def _log(self, standing: Standing, signal: Signal, suspicion: Suspicion) -> None:
        subject = standing.subject
        fields = {
            "step": STEPS[standing.step],
            "signal": signal.name,
            "token": subject.id if subject.kind == TOKEN else None,
            "person": subject.person,
            "tenant": subject.tenant,
            "tenant_id": subject.tenant_id,
            "trace_id": suspicion.trace_id,
        }
        if suspicion.origin is None:
            self._peers.router.tell(LogStep(suspicion.connection, fields))
        else:
            log.warning(EVENT, address=suspicion.origin.address, **fields)

    def _record(self, standing: Standing, why: str, suspicion: Suspicion) -> None:
        subject = standing.subject
        self._peers.audit.tell(
            Append(
                AuditEntry(
                    kind=ALERT,
                    action=f"intent.{STEPS[standing.step]}",
                    capacity="machine",
                    person=subject.person,
                    token=subject.id if subject.kind == TOKEN else None,
                    tenant=subject.tenant,
                    tenant_id=subject.tenant_id,
                    outcome=OK,
                    message=f"{subject.kind} {name_of(subject)}: {why}{key_text(suspicion)}",
                    trace_id=suspicion.trace_id,
                )
            )
        )

    def _publish(self) -> None:
        """Replace what the channels read."""
        slowdowns, standings = self._slowdowns, self._standings
        slowdowns.seconds = self._rules.slow
        slowdowns.tokens = standings.slowed(TOKEN)
        slowdowns.addresses = standings.slowed(ADDRESS)

    def _sweep(self, _: Sweep) -> None:
        now = self._clock()
        self._standings.decay(self._adopt().decay, now)
        self._buckets.drop_empty(now)
        self._publish()
        for order in self._unconfirmed.values():
            self._peers.directory.tell(order)

    # For people

    def _list(self, query: ListStandings) -> list[dict[str, Any]]:
        now = self._clock()
        found = [
            self._shown(each, now)
            for each in reversed(list(self._standings))
            if query.tenant_id in (None, each.subject.tenant_id)
        ]
        return found[: query.limit]

    def _shown(self, standing: Standing, now: float) -> dict[str, Any]:
        subject, left = standing.subject, standing.changed + self._rules.decay - now
        ends = None if standing.step == SUSPEND else rfc3339(self._epoch() + left, "seconds")
        return {
            "kind": subject.kind,
            "id": name_of(subject),
            "tenant": subject.tenant,
            "person": subject.person,
            "step": STEPS[standing.step],
            "signals": list(standing.signals),
            "since": rfc3339(standing.since, "seconds"),
            "decays_at": ends,
        }

    def _clear(self, message: ClearStanding) -> bool:
        self._buckets.forget(message.id)
        self._unconfirmed.pop(message.id, None)
        standing = self._standings.forget(message.id)
        self._publish()
        return standing is not None


def subject_of(signal: Signal, suspicion: Suspicion) -> Subject | None:
    """Return what a signal counts this for; None if there is no such thing."""
    caller, tenant, origin = suspicion.caller, suspicion.tenant, suspicion.origin
    if signal.groupby == ADDRESS:
        return None if origin is None else Subject(ADDRESS, origin.group)
    if signal.groupby == TENANT:
        return None if tenant is None else Subject(TENANT, tenant.id, tenant.name, tenant.id)
    if not caller.id or caller.role == MACHINE:
        return None
    name, id_ = (None, None) if tenant is None else (tenant.name, tenant.id)
    return Subject(TOKEN, caller.id, name, id_, caller.person or None)


def key_of(signal: Signal, suspicion: Suspicion) -> Hashable:
    """Return what is counted once only; None if each counts."""
    request = suspicion.request
    if signal.distinct is None:
        return None
    if signal.distinct == "action":
        return request.action
    if signal.distinct == "tenant":
        return request.tenant or ""
    if signal.distinct == "token":
        return digest_of(request.token or "")
    return digest_of(request.action + json.dumps(request.params, sort_keys=True, default=repr))


def digest_of(text: str) -> bytes:
    """Return a short digest: what is counted may be long, or a secret."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()


def name_of(subject: Subject) -> str:
    """Return a subject's id; of a tenant its name."""
    return (subject.tenant or subject.id) if subject.kind == TENANT else subject.id


def explanation(signal: Signal) -> str:
    """Return why a step was taken, in words."""
    different = "" if signal.distinct is None or "different" in signal.summary else "different "
    leak = f"{signal.leakspeed:g} s"
    return f"{signal.name}: more than {signal.capacity} {different}{signal.summary}, beside one each {leak}"


def key_text(suspicion: Suspicion) -> str:
    """Return where a suspicion came from, as far as that is seen; at the end of a sentence."""
    origin = suspicion.origin
    if origin is None:
        return ""
    parts = [
        f"from {origin.address}" if origin.address else "",
        f"with the key {origin.key}" if origin.key else "",
    ]
    text = ", ".join(part for part in parts if part)
    return f" ({text})" if text else ""
