"""What a run says in the end: figures, then each promise, kept or broken; and how busy the machine was."""

from __future__ import annotations

import os
from collections.abc import Iterator

from scripts.benchmark.noise import crowd, usage


class Report:
    """Filled while a run goes on; as text, one line each."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._figures: list[tuple[str, str]] = []
        self._promises: list[tuple[str, bool]] = []
        self._usage, self._own = usage(), own_seconds()

    def figure(self, name: str, value: str) -> None:
        """Something measured."""
        self._figures.append((name, value))

    def promise(self, words: str, kept: bool) -> None:
        """Something that has to hold; `words` say what, with the figure it is judged by."""
        self._promises.append((words, kept))

    @property
    def broken(self) -> bool:
        """Whether any promise was; a run that promised nothing has shown nothing."""
        return not self._promises or not all(kept for _, kept in self._promises)

    def lines(self) -> Iterator[str]:
        """The whole of it. For when every child has ended, whose processor time is counted as ours."""
        yield self._title
        width = max((len(name) for name, _ in self._figures), default=0)
        for name, value in (*self._figures, ("machine", self._machine())):
            yield f"  {name:<{width}}  {value}"
        for words, kept in self._promises:
            yield f"  {'kept  ' if kept else 'BROKEN'}  {words}"

    def _machine(self) -> str:
        others, stolen = crowd(self._usage, usage(), own_seconds() - self._own)
        return (
            f"{os.cpu_count()} processors; other processes used {others:.0%} of them, "
            f"the hypervisor {stolen:.0%}"
        )


def own_seconds() -> float:
    """Processor seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
