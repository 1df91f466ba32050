"""The index as values: environments, actions and their versions, connectors, storage.

The states of a version, and the moves between them (docs/index.md has the same table).

What the names of an index become in Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from actors.errors import SettingsError
from actors.schema.schema import Schema
from actors.schema.source import did_you_mean


class Threshold(NamedTuple):
    """How many unexpected errors are too many."""

    failures: int = 5
    calls: int = 50
    """So many of the last calls are looked at."""
    seconds: float = 60.0
    """And what is older than this is not."""


FUNCTION = "function"
CONNECTOR = "connector"


DUMMY = "dummy"
ERRORING = "erroring"
UNDER_DEV = "under dev"
POTENTIAL_RELEASE = "potential release"
UNDER_USER_TEST = "under user test"
RELEASE = "release"
REVERTED = "reverted"

STATES = (
    DUMMY,
    ERRORING,
    UNDER_DEV,
    POTENTIAL_RELEASE,
    UNDER_USER_TEST,
    RELEASE,
    REVERTED,
)
"""The seven states of a version, spelt as the index spells them."""

EFFECTS = ("read", "write")

RESERVED = "system."
"""Prefix of the actions that are built in; an index cannot describe one."""


class Environment(NamedTuple):
    """Which states are served in one place where the server runs."""

    name: str
    serves: frozenset[str]
    testers: frozenset[str] = frozenset()
    """States served besides, to tenants that are enrolled as testers of the action."""
    threshold: Threshold = Threshold()
    """From when on a version is failing."""

    @property
    def takes_out(self) -> Threshold | None:
        """When the machine takes a version out; None where erroring ones are served anyway."""
        return None if ERRORING in self.serves else self.threshold


DEFAULT_ENVIRONMENTS: tuple[Environment, ...] = (
    Environment("local-dev", frozenset(STATES) - {REVERTED}),
    Environment("local-test", frozenset({DUMMY, POTENTIAL_RELEASE, UNDER_USER_TEST, RELEASE})),
    Environment("local-qa", frozenset({POTENTIAL_RELEASE, UNDER_USER_TEST, RELEASE})),
    Environment("hosted-test", frozenset({UNDER_USER_TEST, RELEASE})),
    Environment("hosted-live", frozenset({RELEASE}), frozenset({UNDER_USER_TEST})),
)
"""What holds for an environment that the file does not state (docs/index.md has the same table)."""


class Schemas(NamedTuple):
    """What goes in and what comes out."""

    params: Schema
    result: Schema


class Version(NamedTuple):
    """One implementation; any number may stand side by side."""

    number: int
    """Positive, and unique within its action or connector; a higher one is newer."""
    state: str
    """One of STATES."""
    code: str | None
    """`package.module:name`, below the index's directory; None for a dummy."""
    request: str | None
    """The user request it answers, such as `R-12`."""
    by: str | None = None
    """Who moved it last, in words; written by the Registry, as the next three."""
    before: str | None = None
    """Of an erroring version: the state it came from, to which it can go back."""
    digest: str | None = None
    """SHA-256 of its file when it left `under dev`, in hexadecimal: other code is refused."""
    schemas: Schemas | None = None
    """What its action's were when it left `under dev`; None where they are its action's still."""


class Action(NamedTuple):
    """One thing that callers can ask for."""

    name: str
    summary: str
    access: str
    """One of actors.access.LEVELS: who may call it."""
    area: str | None
    """One of actors.access.AREAS, which an owner needs; only where access is owner."""
    platform: str | None
    """The level of the platform that may call it besides; only on the admin channel."""
    channel: str
    """data or admin: where it is answered."""
    effect: str
    """read or write: what a read action writes is rolled back."""
    connectors: tuple[str, ...]
    """Operations that it may call, such as `mail.send`."""
    instructions: str
    """What the developer of this one function needs to know."""
    params: Schema
    result: Schema
    versions: tuple[Version, ...]
    """The newest first; empty where nothing is written yet."""

    def version(self, number: int) -> Version | None:
        """The version of that number, if there is one."""
        return next((each for each in self.versions if each.number == number), None)

    def schemas(self, version: Version | None) -> Schemas:
        """What a version is called with and answers with."""
        if version is None or version.schemas is None:
            return Schemas(self.params, self.result)
        return version.schemas


class Operation(NamedTuple):
    """One thing that a connector can do, in the inner form of its data."""

    name: str
    """With the connector's name: `mail.send`."""
    summary: str
    params: Schema
    result: Schema


class ConcurrencyLimits(NamedTuple):
    """How many calls of one connector there may be."""

    at_once: int = 256
    of_one: int = 8
    """At once for one tenant, so that its dead service leaves room for the others': while a breaker is open
    it holds none, and one when that is tried again."""
    waiting: int = 1000
    waiting_of_one: int = 100


class Connector(NamedTuple):
    """A way to an outside service, used by functions only."""

    name: str
    summary: str
    not_subscribed: str | None
    """The action that words the error for end users of a tenant without a subscription."""
    settings: Schema
    """Of what a tenant sets for it; any object where the index does not state it."""
    operations: Mapping[str, Operation]
    """By their full names."""
    versions: tuple[Version, ...]
    """The newest first."""
    room: ConcurrencyLimits = ConcurrencyLimits()

    def version(self, number: int) -> Version | None:
        """The version of that number, if there is one."""
        return next((each for each in self.versions if each.number == number), None)


class ConfigSchemas(NamedTuple):
    """What a tenant's config may say."""

    settings: Schema
    """Of what functions go by; any object where the index does not state it."""
    whitelabel: Schema
    """Of what end users see (actors/index/defaults.py has what holds where the index does not state it)."""


class Storage(NamedTuple):
    """What a tenant's database is made of."""

    migrations: Path | None
    """Directory of Alembic scripts; None where the index needs no tables of its own."""


class Index(NamedTuple):
    """One index file, read and found sound as a whole."""

    path: Path
    root: Path
    """The directory of the file: `code` and `migrations` resolve here, and nowhere else.

    For the engine's own part, the directory that holds `actors`."""
    digest: str
    """SHA-256 of the file, in hexadecimal: names this state of the index."""
    text: str
    """The file."""
    environments: Mapping[str, Environment]
    actions: Mapping[str, Action]
    connectors: Mapping[str, Connector]
    storage: Storage
    config: ConfigSchemas

    def operations(self) -> dict[str, Operation]:
        """What its connectors can do, by full name."""
        return {
            name: operation
            for connector in self.connectors.values()
            for name, operation in connector.operations.items()
        }

    def environment(self, name: str) -> Environment:
        """The environment of that name; SettingsError lists the names where there is none."""
        found = self.environments.get(name)
        if found is None:
            known = ", ".join(self.environments)
            raise SettingsError(
                f"environment {name!r} is not in {self.path}: set TENANTRY_ENVIRONMENT "
                f"(--environment) to one of {known}{did_you_mean(name, self.environments)}"
            )
        return found


MOVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        DUMMY: (UNDER_DEV,),
        UNDER_DEV: (POTENTIAL_RELEASE, ERRORING, DUMMY),
        POTENTIAL_RELEASE: (UNDER_USER_TEST, UNDER_DEV, ERRORING),
        UNDER_USER_TEST: (RELEASE, POTENTIAL_RELEASE, UNDER_DEV, ERRORING),
        RELEASE: (REVERTED, ERRORING),
        ERRORING: (UNDER_DEV, REVERTED),
        REVERTED: (UNDER_DEV,),
    }
)
"""From each state to which others; an erroring version can besides go back to where it came from."""

MUTABLE = frozenset({DUMMY, UNDER_DEV})
"""States in which a version's code may change; in every other it is what it was when it left these."""


def moves(version: Version) -> tuple[str, ...]:
    """Where a version may go from here."""
    onward = MOVES[version.state]
    if version.state != ERRORING or version.before is None or version.before in onward:
        return onward
    return (*onward, version.before)


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
