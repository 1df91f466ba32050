"""The figures as a table for a person, in a terminal or in a page of Markdown, and as JSON for a machine.

The table as a picture: replies per second, peers side by side, Tenantry's ratios below.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.table import Table

from scripts.benchmark.plan import (
    BEFORE,
    FASTAPI,
    FLOOR,
    GATEWAYS,
    HTTP,
    ON_REQUEST,
    QUIET,
    TENANTRY,
    WEBSOCKET,
    Plan,
)
from scripts.benchmark.result import NOISY, CellFigures, Spread, spread
from scripts.benchmark.run import Measurement

PACKAGES = (
    "pyzmq",
    "msgpack",
    "sqlalchemy",
    "pykka",
    "pydantic",
    "aiosqlite",
    "fastapi",
    "uvicorn",
)


def table(cells: Sequence[CellFigures]) -> Table:
    """One row for each peer in each cell; Tenantry's row carries the ratios."""
    extra = [name for name in ON_REQUEST if any(name in cell.ratios for cell in cells)]
    made = Table(
        title="median over rounds; ratios within rounds (lowest–highest): of rates, at a fixed pace of p99"
    )
    for name in ("action", "tenants", "pace", "peer"):
        made.add_column(name)
    for name in (
        "replies/s",
        "lowest–highest",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "CPU µs/msg",
        "CPU of floor",
        "of floor",
        "x FastAPI",
    ):
        made.add_column(name, justify="right")
    if any(map(has_gateway, cells)):
        made.add_column("of tenantry", justify="right")
    for name in extra:
        made.add_column(f"of {name}", justify="right")
    made.add_column("")
    for cell in cells:
        for name in cell.peers:
            made.add_row(*row(cell, name, extra), end_section=name == list(cell.peers)[-1])
    return made


def row(cell: CellFigures, name: str, extra: Sequence[str] = ()) -> list[str]:
    """Return one peer's row; `extra` are peers that Tenantry is compared with on request."""
    peer = cell.peers[name]
    others = (FLOOR, FASTAPI, *([TENANTRY] if has_gateway(cell) else []), *extra)
    return [
        cell.cell.action,
        str(cell.cell.tenants),
        cell.cell.pace_in_words,
        name,
        f"{peer.rate.median:,.0f}",
        f"{peer.rate.low:,.0f}–{peer.rate.high:,.0f}",
        f"{peer.p50_ms.median:.1f}",
        f"{peer.p99_ms.median:.1f}",
        f"{peer.p999_ms.median:.1f}",
        f"{peer.cpu_us.median:.0f}",
        f"{cell.cpu[FLOOR].median:.1f}" if name == TENANTRY and FLOOR in cell.cpu else "",
        *(ratio(ratio_of(cell, name, other)) for other in others),
        NOISY if cell.doubts and name == next(iter(cell.peers)) else "",
    ]


def has_gateway(cell: CellFigures) -> bool:
    """Whether a peer of this cell reached Tenantry through a gateway."""
    return any(name in cell.peers for name in GATEWAYS)


def ratio_of(cell: CellFigures, name: str, other: str) -> Spread | None:
    """Tenantry's ratio to another peer, or that of a peer that reaches it through a gateway."""
    return cell.ratios.get(other) if name == TENANTRY else cell.through.get((name, other))


def ratio(found: Spread | None) -> str:
    """A ratio with its spread."""
    return f"{found.median:.2f} ({found.low:.2f}–{found.high:.2f})" if found else ""


def remarks(cells: Sequence[CellFigures], measured: Sequence[Measurement]) -> Iterable[str]:
    """Yield remarks about the machine and about doubtful cells."""
    cpu = spread([one.calibration.cpu_ms for one in measured])
    sync = spread([one.calibration.fsync_us for one in measured])
    others = max(one.crowd.others for one in measured)
    yield (
        f"machine: fixed loop {cpu.median:.1f} ms ({cpu.low:.1f} to {cpu.high:.1f}),"
        f" sync {sync.median:.0f} µs ({sync.low:.0f} to {sync.high:.0f}),"
        f" other processes up to {others:.0%} of the processors"
    )
    for cell in cells:
        if cell.doubts:
            yield f"{NOISY}: {cell.cell}: {'; '.join(cell.doubts)}"
        elif len({one.round for one in measured}) == 1:
            yield f"{cell.cell}: one round has no spread; take it as a trial run"


def document(
    plan: Plan,
    cells: Sequence[CellFigures],
    measured: Sequence[Measurement],
    ceiling: float | None,
) -> dict[str, Any]:
    """Everything, for --json."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "plan": {**asdict(plan), "folder": str(plan.folder), "against": str(plan.against or "")},
        "generator_ceiling": ceiling,
        "too_noisy_to_believe": any(cell.doubts for cell in cells),
        "cells": [cell_document(cell) for cell in cells],
        "measurements": [measurement_document(one) for one in measured],
    }


def cell_document(cell: CellFigures) -> dict[str, Any]:
    """One cell for --json; a spread is a map of median, low and high."""
    return {
        "action": cell.cell.action,
        "tenants": cell.cell.tenants,
        "pace": cell.cell.pace,
        "peers": {
            name: {
                key: value._asdict() if isinstance(value, Spread) else value
                for key, value in vars(peer).items()
            }
            for name, peer in cell.peers.items()
        },
        "ratios": {f"{TENANTRY}/{other}": found._asdict() for other, found in cell.ratios.items()}
        | {f"{name}/{other}": found._asdict() for (name, other), found in cell.through.items()},
        "cpu": {f"{TENANTRY}/{other}": found._asdict() for other, found in cell.cpu.items()},
        "too_noisy_to_believe": cell.doubts,
    }


def measurement_document(one: Measurement) -> dict[str, Any]:
    """Return one measurement for --json."""
    return {
        **vars(one),
        "cell": one.cell._asdict(),
        "calibration": one.calibration._asdict(),
        "crowd": one.crowd._asdict(),
    }


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: installed(name) for name in PACKAGES},
    }


def installed(name: str) -> str:
    """Return a package's version; empty if it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def commit() -> str:
    """The checkout's commit, `-dirty` when files differ from it; empty outside a repository."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    return done.stdout.strip()


BEGIN = "<!-- made by scripts/bench --into -->"
END = "<!-- end -->"


class NoPlace(Exception):
    """A page has no place for the table; the message says what to write there."""


def write_into(page: Path, cells: Sequence[CellFigures], measured: Sequence[Measurement]) -> None:
    """Replace what is between the marks of a page. NoPlace, OSError."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoPlace(
            f"{page} has no place for the table: write {BEGIN} and {END} on lines of their own"
        )
    lines = "\n".join(table_lines(cells, measured))
    page.write_text(f"{before}{BEGIN}\n{lines}\n{END}{after}", encoding="utf-8")


def table_lines(cells: Sequence[CellFigures], measured: Sequence[Measurement]) -> Iterator[str]:
    """Yield one row for each cell, and what is to be said of the machine."""
    names = [name for name in (FLOOR, TENANTRY, FASTAPI) if name in cells[0].peers]
    heads = [f"{name}: replies/s, p99 ms, CPU µs" for name in names]
    yield "| " + " | ".join(["", *heads, "of floor", "x FastAPI", "CPU of floor"]) + " |"
    yield "|" + "---|" * (len(names) + 4)
    for cell in cells:
        yield "| " + " | ".join(_row(cell, names)) + " |"
    rounds = len({one.round for one in measured})
    about = machine()
    yield ""
    yield (
        f"Medians of {rounds} round{'s' if rounds > 1 else ''}; in brackets the lowest and the highest. At a "
        "fixed pace the ratios are those of p99."
    )
    first, *_ = remarks(cells, measured)
    yield (
        f"Made {datetime.now(UTC):%Y-%m-%d} from {commit()}; {about['processors']} processors, CPython "
        f"{about['python']}, SQLite {about['sqlite']}; {first}."
    )
    doubtful = sum(bool(cell.doubts) for cell in cells)
    yield f"Too noisy to believe, by the signs below: {doubtful} of {len(cells)} rows."


def _row(cell: CellFigures, names: Sequence[str]) -> list[str]:
    figures = [
        f"{peer.rate.median:,.0f}, {peer.p99_ms.median:.1f}, {peer.cpu_us.median:.0f}"
        for peer in (cell.peers[name] for name in names)
    ]
    cpu = cell.cpu.get(FLOOR)
    return [
        str(cell.cell),
        *figures,
        ratio(cell.ratios.get(FLOOR)),
        ratio(cell.ratios.get(FASTAPI)),
        f"{cpu.median:.1f}" if cpu else "",
    ]


COLOURS = {
    FLOOR: "#9aa5b1",
    TENANTRY: "#1f6feb",
    BEFORE: "#8ab4f8",
    QUIET: "#4fb286",
    HTTP: "#a371f7",
    WEBSOCKET: "#d2a8ff",
    FASTAPI: "#e09f3e",
}
WIDTH = 0.8
"""Share of the room between two cells that their bars fill."""


def plot(cells: Sequence[CellFigures], path: Path) -> None:
    """Write the picture; the file's ending chooses the format."""
    import matplotlib  # more than a second, and most runs draw nothing
    from matplotlib.figure import Figure

    matplotlib.use("Agg")
    actions = sorted({cell.cell.action for cell in cells})
    figure = Figure(figsize=(6 * len(actions) + 0.6, 4.8), layout="constrained")
    panes = figure.subplots(1, len(actions), sharey=True, squeeze=False)[0]
    for pane, action in zip(panes, actions, strict=True):
        draw(pane, [cell for cell in cells if cell.cell.action == action and not cell.cell.pace])
    panes[0].set_ylabel("replies per second (median, lowest, highest)")
    panes[0].legend(frameon=False, loc="upper right")
    figure.savefig(path, dpi=130)


def draw(pane: Any, cells: Sequence[CellFigures]) -> None:
    """One action: a group of bars for each tenant count."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.peers))
    for place, name in enumerate(names):
        bars(pane, cells, name, place, WIDTH / len(names))
    pane.set_title(cells[0].cell.action)
    pane.set_yscale("log")
    pane.set_xticks(range(len(cells)), [label(cell) for cell in cells])
    pane.spines[["top", "right"]].set_visible(False)
    pane.grid(axis="y", alpha=0.3)
    pane.set_axisbelow(True)
    low, high = pane.get_ylim()
    pane.set_ylim(low / 2, high * 3)  # room for captions and the legend


def bars(pane: Any, cells: Sequence[CellFigures], name: str, place: int, width: float) -> None:
    """One peer's bars, each with its rate."""
    left = -WIDTH / 2 + width * (place + 0.5)
    for index, cell in enumerate(cells):
        if name not in cell.peers:
            continue
        rate = cell.peers[name].rate
        whisker = [[rate.median - rate.low], [rate.high - rate.median]]
        pane.bar(
            index + left,
            rate.median,
            width,
            color=COLOURS[name],
            label=name if index == 0 else None,
            yerr=whisker,
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#444"},
        )
        pane.annotate(
            short(rate.median),
            (index + left, rate.high),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )


def short(rate: float) -> str:
    """A rate in few characters: 870, 3.4k, 31k."""
    if rate < 1000:
        return f"{rate:.0f}"
    return f"{rate / 1000:.1f}k" if rate < 10_000 else f"{rate / 1000:.0f}k"


def label(cell: CellFigures) -> str:
    """The tenant count, Tenantry's ratios, and a warning if the cell is doubtful."""
    count = cell.cell.tenants
    ratios = [f"{found.median:.2f} x {other}" for other, found in cell.ratios.items()]
    warning = [NOISY] if cell.doubts else []
    return "\n".join([f"{count} tenant" if count == 1 else f"{count} tenants", *ratios, *warning])
