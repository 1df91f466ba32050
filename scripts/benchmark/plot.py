"""The table as a picture: replies per second, peers side by side, Tenantry's ratios below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from scripts.benchmark.plan import BEFORE, FASTAPI, FLOOR, QUIET, TENANTRY
from scripts.benchmark.result import NOISY, CellFigures

COLOURS = {
    FLOOR: "#9aa5b1",
    TENANTRY: "#1f6feb",
    BEFORE: "#8ab4f8",
    QUIET: "#4fb286",
    FASTAPI: "#e09f3e",
}
WIDTH = 0.8
"""Share of the room between two cells that their bars fill."""


def plot(cells: Sequence[CellFigures], path: Path) -> None:
    """Write the picture; the file's ending chooses the format."""
    matplotlib.use("Agg")
    actions = sorted({cell.cell.action for cell in cells})
    figure = Figure(figsize=(6 * len(actions) + 0.6, 4.8), layout="constrained")
    panes = figure.subplots(1, len(actions), sharey=True, squeeze=False)[0]
    for pane, action in zip(panes, actions, strict=True):
        draw(pane, [cell for cell in cells if cell.cell.action == action])
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
    """The tenant count, Tenantry's ratios, and a warning where the cell is doubtful."""
    count = cell.cell.tenants
    ratios = [f"{found.median:.2f} x {other}" for other, found in cell.ratios.items()]
    warning = [NOISY] if cell.doubts else []
    return "\n".join([f"{count} tenant" if count == 1 else f"{count} tenants", *ratios, *warning])
