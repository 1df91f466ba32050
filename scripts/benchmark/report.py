"""The figures as a table for a person and as JSON for a machine."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.table import Table

from scripts.benchmark.plan import FASTAPI, FLOOR, ON_REQUEST, TENANTRY, Plan
from scripts.benchmark.result import NOISY, CellFigures, Spread, spread
from scripts.benchmark.stretch import Measurement

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
    besides = [name for name in ON_REQUEST if any(name in cell.ratios for cell in cells)]
    made = Table(title="median over rounds; ratios within rounds (lowest–highest)")
    for name in ("action", "tenants", "peer"):
        made.add_column(name)
    for name in (
        "replies/s",
        "lowest–highest",
        "p50 ms",
        "p99 ms",
        "CPU µs/msg",
        "of floor",
        "x FastAPI",
    ):
        made.add_column(name, justify="right")
    for name in besides:
        made.add_column(f"of {name}", justify="right")
    made.add_column("")
    for cell in cells:
        for name in cell.peers:
            made.add_row(*row(cell, name, besides), end_section=name == list(cell.peers)[-1])
    return made


def row(cell: CellFigures, name: str, besides: Sequence[str] = ()) -> list[str]:
    """One peer's row; `besides` are peers that it is compared with only on request."""
    peer = cell.peers[name]
    others = (FLOOR, FASTAPI, *besides)
    return [
        cell.cell.action,
        str(cell.cell.tenants),
        name,
        f"{peer.rate.median:,.0f}",
        f"{peer.rate.low:,.0f}–{peer.rate.high:,.0f}",
        f"{peer.p50_ms.median:.1f}",
        f"{peer.p99_ms.median:.1f}",
        f"{peer.cpu_us.median:.0f}",
        *(ratio(cell.ratios.get(other)) if name == TENANTRY else "" for other in others),
        NOISY if cell.doubts and name == next(iter(cell.peers)) else "",
    ]


def ratio(found: Spread | None) -> str:
    """A ratio with its spread."""
    return f"{found.median:.2f} ({found.low:.2f}–{found.high:.2f})" if found else ""


def remarks(cells: Sequence[CellFigures], measured: Sequence[Measurement]) -> Iterable[str]:
    """What to know before believing the table."""
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
            yield f"{cell.cell}: one round has no spread; take it as a try"


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
        "peers": {
            name: {
                key: value._asdict() if isinstance(value, Spread) else value
                for key, value in vars(peer).items()
            }
            for name, peer in cell.peers.items()
        },
        "ratios": {f"{TENANTRY}/{other}": found._asdict() for other, found in cell.ratios.items()},
        "too_noisy_to_believe": cell.doubts,
    }


def measurement_document(one: Measurement) -> dict[str, Any]:
    """One stretch for --json."""
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
    """A package's version; empty where it is missing."""
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
