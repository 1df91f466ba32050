"""Compiles once, on all processors, what each worker and each of a hundred servers would otherwise."""

from __future__ import annotations

import compileall
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

ROOT = Path(__file__).parents[2]

ENGINE = ("actors", "transport", "scripts")


def compile_all(config: pytest.Config) -> None:
    """Compile the engine, whatever the environment says, and the tests as pytest rewrites them."""
    tests = [file for file in _rewritten() if not _is_current(file)]
    engine = [file for folder in ENGINE for file in (ROOT / folder).rglob("*.py")]
    count = os.cpu_count() or 1
    forked = multiprocessing.get_context("fork")
    shares = ((config, tests[each::count], engine[each::count]) for each in range(count))
    processes = [forked.Process(target=_compile, args=share) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _compile(config: pytest.Config, tests: Iterable[Path], engine: Iterable[Path]) -> None:
    """Compile a share; what cannot be compiled is reported where it is imported."""
    for file in tests:
        with suppress(SyntaxError):
            _rewrite(config, file)
    for file in engine:
        compileall.compile_file(file, quiet=2)


def _rewritten() -> Iterator[Path]:
    for pattern in ("test_*.py", "conftest.py"):
        yield from (ROOT / "tests").rglob(pattern)


def _compiled(file: Path) -> Path:
    """Where pytest keeps it."""
    return rewrite.get_cache_dir(file) / f"{file.stem}{rewrite.PYC_TAIL}"


def _is_current(file: Path) -> bool:
    """Whether it need not be looked at; pytest itself compares the content."""
    made = _compiled(file)
    return made.exists() and made.stat().st_mtime > file.stat().st_mtime


def _rewrite(config: pytest.Config, file: Path) -> None:
    made = _compiled(file)
    made.parent.mkdir(exist_ok=True)
    digest, code = rewrite._rewrite_test(file, config)
    rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, digest, made)
