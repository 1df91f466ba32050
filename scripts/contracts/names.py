"""What things are called in Python: methods, and no name twice."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Iterable, Mapping


class Names:
    """Hands out the names of one module, each once: whoever comes second gets a number behind it."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def claim(self, wanted: str) -> str:
        """The name, or the nearest that is free."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._taken.add(name)
        return name


def attributes(words: Iterable[str], taken: Collection[str] = ()) -> Mapping[str, str]:
    """An attribute for each word: itself, or with _ behind it where Python or somebody has it already."""
    wanted = sorted(words)
    plain = [word for word in wanted if not keyword.iskeyword(word) and word not in taken]
    found = {word: word for word in plain}
    used = {*taken, *plain}
    for word in wanted:
        if word not in found:
            found[word] = _behind(word, used)
            used.add(found[word])
    return found


def _behind(word: str, used: Collection[str]) -> str:
    name = f"{word}_"
    while name in used:
        name += "_"
    return name
