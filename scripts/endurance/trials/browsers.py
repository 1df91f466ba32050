"""Idle and busy WebSockets and a flood without a token at a gateway: others are served, memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from scripts.benchmark.child import Child
from scripts.benchmark.peers import HERE
from scripts.benchmark.plan import Call
from scripts.endurance.connection import LoadConnection
from scripts.endurance.load import Window, steady
from scripts.endurance.server import Installation, Server
from scripts.endurance.verdict import Report

MEGABYTE: Final = 1024**2
WARM_UP: Final = 1.0
PLAIN: Final = "plain"
"""The tenant of the client that is measured, which speaks to the server itself."""
CROWDED: Final = "crowded"
"""The tenant whose pages have the sockets."""


class Plan(NamedTuple):
    """How many, and what may come of it."""

    idle: int
    busy: int
    pause: float
    flood: int
    seconds: float
    rate: float
    ratio: float
    least_ms: float
    memory: int


FULL: Final = Plan(
    idle=2_000,
    busy=200,
    pause=2.0,
    flood=4,
    seconds=20.0,
    rate=100.0,
    ratio=2.0,
    least_ms=20.0,
    memory=512 * MEGABYTE,
)
QUICK: Final = FULL._replace(idle=500, busy=50, seconds=5.0)

MEANINGS: Final = {
    "idle": "WebSockets that only answer pings",
    "busy": "WebSockets that ask",
    "pause": "seconds between an answer and the next request of a busy one",
    "flood": "connections that send requests without a token, as fast as they are answered",
    "seconds": "how long the plain client is measured, without and beside them",
    "rate": "requests a second of the plain client",
    "ratio": "times that its p99 may grow",
    "least_ms": "p99 in milliseconds that is good enough, however much it has grown",
    "memory": "resident bytes of server and gateway together at the most",
}


class Sides(NamedTuple):
    """What is measured: the same client without the crowd, and beside it."""

    calm: Window
    beside: Window
    before: int
    """Resident bytes of server and gateway together."""
    after: int


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """A server, a gateway, a plain client; then the crowd comes. ChildFailed, NoReply."""
    report = Report(f"browsers: {plan.idle} idle and {plan.busy} busy WebSockets, and a flood")
    installation = Installation(folder, [PLAIN, CROWDED], {})
    server = installation.start()
    arguments = ["--server", server.endpoint, "--port=0", "--sockets-of-address=10000"]
    gateway = Server("transport.gateway", arguments, folder / "gateway.log", HERE)
    try:
        gateway.wait_ready()
        sides = measured(plan, installation, server, gateway, progress)
        lives = server.running and gateway.running
    finally:
        gateway.end()
        server.end()
    tell(plan, sides, report)
    report.promise("server and gateway live", lives)
    return report


def measured(
    plan: Plan,
    installation: Installation,
    server: Server,
    gateway: Server,
    progress: Callable[[str], None],
) -> Sides:
    """Measure the plain client without the crowd, then beside it."""
    connection = LoadConnection(server.endpoint, installation.tokens)
    asking = calls()
    try:
        steady(connection, asking, plan.rate, WARM_UP)
        progress("without")
        calm = steady(connection, asking, plan.rate, plan.seconds)
        before = server.usage().rss + gateway.usage().rss
        log = gateway.log.with_name("crowd.log")
        crowd = Child("scripts.endurance.browsers", coming(plan, installation, gateway), log, HERE)
        try:
            crowd.wait_ready()
            progress("beside")
            beside = steady(connection, asking, plan.rate, plan.seconds)
            after = server.usage().rss + gateway.usage().rss
        finally:
            crowd.end()
    finally:
        connection.close()
    return Sides(calm, beside, before, after)


def coming(plan: Plan, installation: Installation, gateway: Server) -> list[str]:
    """Return the arguments of the crowd."""
    who = [f"--address={gateway.endpoint}", f"--tenant={CROWDED}"]
    who.append(f"--token={installation.tokens[CROWDED]}")
    return [
        *who,
        *(f"--{name}={getattr(plan, name)}" for name in ("idle", "busy", "pause", "flood")),
    ]


def tell(plan: Plan, sides: Sides, report: Report) -> None:
    """Add figures and promises."""
    calm, beside = (each.percentile(0.99) for each in (sides.calm, sides.beside))
    most = max(plan.ratio * calm, plan.least_ms)
    report.figure("p99 without", f"{calm:.1f} ms")
    report.figure("p99 beside", f"{beside:.1f} ms")
    report.figure(
        "memory", f"{sides.before / MEGABYTE:.0f} MB, then {sides.after / MEGABYTE:.0f} MB"
    )
    report.promise(
        f"{len(sides.beside.problems)} of the plain client's requests went wrong, p99 at most {most:.0f} ms",
        not sides.beside.problems and beside <= most,
    )
    report.promise(f"within {plan.memory / MEGABYTE:.0f} MB", sides.after <= plan.memory)


def calls() -> Iterator[Call]:
    """Of the plain client: writes and reads in turn."""
    for number in count(1):
        yield Call(f"plain-{number}", PLAIN, "contacts.add", {"name": f"contact {number}"})
        yield Call(f"seen-{number}", PLAIN, "contacts.get", {"id": 1})
