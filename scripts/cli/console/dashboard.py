"""The dashboard of the console: figures of the running server on a full screen, with keys to look further.

It asks over the console's connection, as its user: what that user may not see is refused, and each look is on
record. Whatever a field holds is shown as text; a look that fails leaves the last figures and says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Sparkline, Static

from scripts.cli.console.connection import ConsoleConnection
from scripts.cli.tables import cell_of, flatten, safe_text
from scripts.cli.target import Unreachable
from transport.errors import CallError, NoAnswer

EVERY_SECONDS = 3.0
"""Seconds between two looks, of two questions each."""

MOST_LOOKS = 60
"""Looks whose rates the line at the top shows."""

MOST_ROWS = 200

Result = Mapping[str, Any]


class TableRow(NamedTuple):
    """One line of a table."""

    key: str
    """What is looked into by Enter."""
    cells: Sequence[Any]


class View(NamedTuple):
    """What the table shows."""

    title: str
    action: str
    params: Result
    columns: tuple[str, ...]
    rows: Callable[[Result], Sequence[TableRow]]
    into: Callable[[str], View] | None = None
    """The view of one row, by its key."""
    tenant: str | None = None


def number(value: Any, form: str = "{:.1f}") -> str:
    """Return a figure in few characters; `?` where there is none."""
    return form.format(value) if isinstance(value, int | float) else "?"


FIGURES = ("requests", "errors", "a second", "p50 ms", "p99 ms")


def figures(found: Result) -> tuple[str, ...]:
    """Return what FIGURES names, of a map of figures."""
    handled, rates = found.get("handled_ms", {}), found.get("per_second", {})
    return (
        number(found.get("requests"), "{:,}"),
        number(found.get("errors"), "{:,}"),
        number(rates.get("minute")),
        number(handled.get("p50"), "{:.2f}"),
        number(handled.get("p99")),
    )


def by_figures(part: str, name: str) -> Callable[[Result], Sequence[TableRow]]:
    """Return a function that makes rows of one list of figures, the busiest first."""

    def rows(result: Result) -> Sequence[TableRow]:
        found = sorted(
            result[part],
            key=lambda each: (
                -each["figures"].get("per_second", {}).get("minute", 0.0),
                each[name],
            ),
        )
        return [TableRow(each[name], (each[name], *figures(each["figures"]))) for each in found]

    return rows


def details(result: Result) -> Sequence[TableRow]:
    """Return a row for each field, however deep."""
    return [
        TableRow(name, (name, cell_of(value, shorten=False))) for name, value in flatten(result)
    ]


def lines(result: Result) -> Sequence[TableRow]:
    """Return the lines of an error log, the newest first."""
    return [
        TableRow(
            each.get("trace_id") or "",
            [
                cell_of(each.get(part), shorten=False)
                for part in ("at", "tenant", "action", "event", "error")
            ],
        )
        for each in result["lines"]
    ]


def story(result: Result) -> Sequence[TableRow]:
    """Return what all logs say of one request, in order."""
    return [
        TableRow(str(place), (each["at"], each["log"], cell_of(each["line"], shorten=False)))
        for place, each in enumerate(result["lines"])
    ]


def actors(result: Result) -> Sequence[TableRow]:
    """Return the actors, those with the longest mailbox first."""
    parts = ("actor", "state", "mailbox", "turns", "restarts", "age_seconds")
    found = sorted(result["actors"], key=lambda each: (-each["mailbox"], -each["turns"]))
    return [
        TableRow(each["actor"], ["–" if each[part] is None else each[part] for part in parts])
        for each in found
    ]


def one(title: str, action: str, param: str) -> Callable[[str], View]:
    """Return a function that makes the view of one thing's fields."""
    return lambda key: View(f"{title} {key}", action, {param: key}, ("field", "value"), details)


ACTIONS = View(
    "functions",
    "stats.actions",
    {},
    ("function", *FIGURES),
    by_figures("actions", "action"),
    one("function", "functions.show", "function"),
)
TENANTS = View(
    "tenants",
    "stats.tenants",
    {},
    ("tenant", *FIGURES),
    by_figures("tenants", "tenant"),
    lambda key: ACTIONS._replace(title=f"functions of {key}", tenant=key),
)
ACTORS = View(
    "actors",
    "actors.list",
    {},
    ("actor", "state", "mailbox", "turns", "restarts", "age s"),
    actors,
    one("actor", "actors.show", "actor"),
)
ERRORS = View(
    "errors",
    "logs.errors",
    {"limit": 100},
    ("at", "tenant", "function", "event", "error"),
    lines,
    lambda key: View(
        f"request {key}", "logs.trace", {"trace_id": key}, ("at", "log", "line"), story
    ),
)


class DashboardScreen(App[None]):
    """Looks every few seconds, until it is left."""

    CSS_PATH = None
    CSS: ClassVar[str] = """
    #top { height: auto; padding: 0 1; }
    #rates { height: 2; margin: 0 1; }
    #about { height: 1; padding: 0 1; text-style: bold; }
    DataTable { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "show('tenants')", "tenants"),
        Binding("2", "show('functions')", "functions"),
        Binding("3", "show('actors')", "actors"),
        Binding("4", "show('errors')", "errors"),
        Binding("escape", "leave_view", "back"),
        Binding("r", "look", "look now"),
        Binding("q", "quit", "leave"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]
    ENABLE_COMMAND_PALETTE = False
    VIEWS: ClassVar[Mapping[str, View]] = {
        each.title: each for each in (TENANTS, ACTIONS, ACTORS, ERRORS)
    }

    def __init__(self, connection: ConsoleConnection, about: str, tenant: str | None) -> None:
        """`about` says where this is and as whom; `tenant` is whose figures an owner sees."""
        super().__init__()
        self._connection = connection
        self._about = about
        self._tenant = tenant
        self._views = [ACTIONS if tenant else TENANTS]
        self._rates: deque[float] = deque(maxlen=MOST_LOOKS)
        self._keys: list[str] = []
        self._shown = ""

    def compose(self) -> ComposeResult:
        """Figures, their last minutes, one table, the keys."""
        yield Static(id="top")
        yield Sparkline([0.0], id="rates")
        yield Static(id="about")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self.set_interval(EVERY_SECONDS, self.look_again)
        self.action_look()

    def look_again(self) -> None:
        """Look, unless a look is not answered yet: of a slow server nothing would be shown otherwise."""
        if not any(worker.is_running for worker in self.workers):
            self.action_look()

    # Keys

    def action_show(self, name: str) -> None:
        """Show one of VIEWS."""
        self._views = [self.VIEWS[name]]
        self.action_look()

    def action_leave_view(self) -> None:
        """Show what was shown before."""
        if len(self._views) > 1:
            self._views.pop()
            self.action_look()

    def action_look(self) -> None:
        """Ask anew; an older look that is not answered yet is given up."""
        self.run_worker(self._look(self._views[-1]), exclusive=True)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Look into a row."""
        into, place = self._views[-1].into, event.cursor_row
        if into is not None and place < len(self._keys) and self._keys[place]:
            self._views.append(into(self._keys[place]))
            self.action_look()

    # Looking

    async def _look(self, view: View) -> None:
        tenant = view.tenant or self._tenant
        try:
            everything = await self._connection.call("stats.show", {}, tenant)
            found = await self._connection.call(view.action, view.params, tenant)
        except (CallError, NoAnswer, Unreachable) as error:
            self.query_one("#about", Static).update(safe_text(f"{view.title}: ? {error}", "red"))
            return
        self._show_top(everything)
        self._show_table(view, list(view.rows(found))[:MOST_ROWS])

    def _show_top(self, result: Result) -> None:
        total = result["figures"]
        self._rates.append(float(total.get("per_second", {}).get("minute", 0.0)))
        requests, errors, rate, median, slow = figures(total)
        waiting = sum(each["messages"] for each in result.get("waiting", ()))
        self.query_one("#top", Static).update(
            safe_text(
                f"{self._about} · {datetime.now(UTC):%H:%M:%S} UTC\n"
                f"{rate} a second · p50 {median} ms · p99 {slow} ms · {requests} messages · "
                f"{errors} errors · {waiting} wait"
            )
        )
        self.query_one(Sparkline).data = list(self._rates)

    def _show_table(self, view: View, rows: Sequence[TableRow]) -> None:
        table = self.query_one(DataTable)
        place = table.cursor_row if view.title == self._shown else 0
        table.clear(columns=True)
        table.add_columns(*view.columns)
        for row in rows:
            table.add_row(*(safe_text(str(each)) for each in row.cells))
        self._keys, self._shown = [row.key for row in rows], view.title
        table.move_cursor(row=min(place, max(0, len(rows) - 1)))
        what = f"{view.title}: {len(rows)}" if rows else f"{view.title}: none"
        self.query_one("#about", Static).update(safe_text(what))


async def show_dashboard(connection: ConsoleConnection, about: str, tenant: str | None) -> None:
    """Fill the terminal until the user leaves."""
    await DashboardScreen(connection, about, tenant).run_async(mouse=False)
