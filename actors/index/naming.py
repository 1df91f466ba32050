"""What the names of an index become in Python."""

from __future__ import annotations

import re


def class_name(*parts: str) -> str:
    """One name of dotted and underscored ones: `contacts.add`, `params` make ContactsAddParams."""
    words = re.split(r"[._]+", ".".join(parts))
    return "".join(word[:1].upper() + word[1:] for word in words)


def group_of(name: str) -> str:
    """What stands before the last dot; a name without one is a group by itself."""
    return name.rpartition(".")[0] or name


def module_name(name: str, version: int) -> str:
    """The module that is one version's own: `contacts_merge_2` for version 2 of `contacts.merge`."""
    return f"{name.replace('.', '_')}_{version}"
