"""No lock and no sleep in actors/ or transport/: the source itself is read.

State belongs to one actor, and actors wait for mail only. A SimpleQueue is how a thread waits for it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LOCKS = frozenset({"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "Barrier"})

FORBIDDEN = {
    "threading": LOCKS,
    "_thread": frozenset({"allocate_lock", "allocate", "LockType", "RLock"}),
    "multiprocessing": LOCKS | {"Queue", "JoinableQueue", "Manager"},
    "multiprocessing.synchronize": LOCKS,
    "queue": frozenset({"Queue", "LifoQueue", "PriorityQueue"}),
    "time": frozenset({"sleep"}),
}
"""What may not be used, by the module it comes from. queue.Full and queue.Empty are only names of errors."""


def offences(source: str) -> list[str]:
    """What a module uses and may not, as `line: name`, however it was imported."""
    tree = ast.parse(source)
    return [f"{line}: {name}" for line, name in _names(tree) if _is_forbidden(name)]


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every dotted name that is used or imported, with the modules' real names in front."""
    modules = _imported_modules(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            yield node.lineno, f"{modules.get(first, first)}.{rest}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            yield node.lineno, _looked_up(node, modules)


def _imported_modules(tree: ast.AST) -> dict[str, str]:
    """Local names of modules: `import a.b as c` and `from a import b as c` are both c → a.b."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def _looked_up(call: ast.Call, modules: dict[str, str]) -> str:
    """What `getattr(module, "name")` finds."""
    module, name = (ast.unparse(argument).strip("'") for argument in call.args[:2])
    return f"{modules.get(module, module)}.{name}"


def _is_forbidden(name: str) -> bool:
    module, _, last = name.rpartition(".")
    names = FORBIDDEN.get(module)
    return names is not None and (last in names or last == "*")


@pytest.mark.parametrize("room", ["actors", "transport"])
def test_no_module_uses_a_lock_or_sleeps(room: str) -> None:
    """Each is named with its line."""
    modules = sorted((ROOT / room).rglob("*.py"))
    assert len(modules) > 3, "the test looks in the wrong place"

    found = {
        str(path.relative_to(ROOT)): offences(path.read_text(encoding="utf-8")) for path in modules
    }

    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("snippet", "name"),
    [
        ("import threading\nguard = threading.Lock()", "2: threading.Lock"),
        ("import threading as t\nguard = t.RLock()", "2: threading.RLock"),
        ("from threading import Lock", "1: threading.Lock"),
        ("from threading import Thread, Semaphore as S", "1: threading.Semaphore"),
        ("from threading import *", "1: threading.*"),
        ("import threading\nguard = getattr(threading, 'Condition')", "2: threading.Condition"),
        ("import threading\nclass Guarded(threading.Barrier): ...", "2: threading.Barrier"),
        ("def f():\n    from threading import BoundedSemaphore", "2: threading.BoundedSemaphore"),
        ("import _thread\nguard = _thread.allocate_lock()", "2: _thread.allocate_lock"),
        ("from queue import Queue", "1: queue.Queue"),
        ("import queue\ninbox: queue.Queue[int] = queue.Queue()", "2: queue.Queue"),
        ("import multiprocessing as mp\nguard = mp.Lock()", "2: multiprocessing.Lock"),
        ("import multiprocessing\ninbox = multiprocessing.Queue()", "2: multiprocessing.Queue"),
        (
            "from multiprocessing import synchronize\nguard = synchronize.Lock()",
            "2: multiprocessing.synchronize.Lock",
        ),
        (
            "import multiprocessing.synchronize\nguard = multiprocessing.synchronize.Lock()",
            "2: multiprocessing.synchronize.Lock",
        ),
        ("import time\ntime.sleep(1)", "2: time.sleep"),
        ("from time import monotonic, sleep as rest", "1: time.sleep"),
    ],
)
def test_every_way_to_come_by_one_is_found(snippet: str, name: str) -> None:
    """Renamed, imported by name, inherited, looked up by name or used inside a function."""
    assert name in offences(snippet)


@pytest.mark.parametrize(
    "snippet",
    [
        "from queue import Empty, Full, SimpleQueue",
        "import queue\ntry: ...\nexcept queue.Full: ...",
        "import threading\nthreading.Thread(target=print).start()\nthreading.current_thread()",
        "import asyncio\narrived = asyncio.Event()\nasync def f(): await asyncio.sleep(1)",
        "import time\ntime.monotonic()",
        "from actors.locks import Lock\nLock()",
        "class Row:\n    Lock = 1\nRow.Lock",
        '"""threading.Lock is not used here."""',
    ],
)
def test_what_may_be_used_is_not_found(snippet: str) -> None:
    """Names of errors, threads, clocks, words in a text, and other people's names."""
    assert offences(snippet) == []
