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
from actors.intent.signals import IntentRules, built_in_rules
from actors.schema.schema import Schema
from actors.schema.source import did_you_mean
from actors.screening.fields import Screening


class Threshold(NamedTuple):
    """How many unexpected errors trip a version."""

    failures: int = 5
    calls: int = 50
    """How many of the last calls are considered."""
    seconds: float = 60.0
    """Age in seconds past which failures no longer count."""


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
"""The seven states of a version, as registry.toml writes them."""

EFFECTS = ("read", "write")

RESERVED = "system."
"""Prefix of the actions that are built in; an index cannot describe one."""


class Environment(NamedTuple):
    """Which states are served in one environment of the server."""

    name: str
    serves: frozenset[str]
    testers: frozenset[str] = frozenset()
    """States also served to tenants that are enrolled as testers of the action."""
    threshold: Threshold = Threshold()
    """Failures that trip a version."""

    @property
    def takes_out(self) -> Threshold | None:
        """Failures that trip a version; None if erroring versions are served anyway."""
        return None if ERRORING in self.serves else self.threshold


DEFAULT_ENVIRONMENTS: tuple[Environment, ...] = (
    Environment("local-dev", frozenset(STATES) - {REVERTED}),
    Environment("local-test", frozenset({DUMMY, POTENTIAL_RELEASE, UNDER_USER_TEST, RELEASE})),
    Environment("local-qa", frozenset({POTENTIAL_RELEASE, UNDER_USER_TEST, RELEASE})),
    Environment("hosted-test", frozenset({UNDER_USER_TEST, RELEASE})),
    Environment("hosted-live", frozenset({RELEASE}), frozenset({UNDER_USER_TEST})),
)
"""Environments that the file does not state (docs/index.md has the same table)."""


class Schemas(NamedTuple):
    """Schemas of the params and the result."""

    params: Schema
    result: Schema


class Version(NamedTuple):
    """One version of an action or connector; there may be any number."""

    number: int
    """Positive, and unique within its action or connector; a higher one is newer."""
    state: str
    """One of STATES."""
    code: str | None
    """`package.module:name`, below the index's directory; None for a dummy."""
    request: str | None
    """The user request that its latest move was for, such as `R-12`."""
    by: str | None = None
    """Who moved it last, in words. The Registry writes this and the next four."""
    before: str | None = None
    """Of an erroring version: the state it came from, to which it can go back."""
    digest: str | None = None
    """SHA-256 of its file when it left `under dev`, in hexadecimal: other code is refused."""
    imports: Mapping[str, str] | None = None
    """SHA-256 of the shared modules that it imports, by name, from then; None of one frozen without them."""
    schemas: Schemas | None = None
    """Its action's schemas when it left `under dev`; None if the action's own apply."""
    requests: tuple[str, ...] = ()
    """The user requests that the index names for it, such as `R-12`."""

    @property
    def served_requests(self) -> tuple[str, ...]:
        """Every user request that it serves: those the index names, and that of its latest move."""
        return tuple(dict.fromkeys((*self.requests, *((self.request,) if self.request else ()))))


class Action(NamedTuple):
    """An action that callers can request."""

    name: str
    summary: str
    access: str
    """One of actors.access.LEVELS: who may call it."""
    area: str | None
    """One of actors.access.AREAS, which an owner needs; only if access is owner."""
    platform: str | None
    """The level of the platform that may also call it; only on the admin channel."""
    channel: str
    """data or admin: the channel that serves it; of the engine's own actions also both."""
    effect: str
    """read or write: what a read action writes is rolled back."""
    connectors: tuple[str, ...]
    """Operations that it may call, such as `mail.send`."""
    instructions: str
    """Notes for the developer of this function."""
    params: Schema
    result: Schema
    versions: tuple[Version, ...]
    """Newest first; empty if no version is written yet."""
    screening: Screening = Screening()
    """How its params are screened."""
    is_watched: bool = False
    """Whether a signal of bad intent counts what it has done."""

    def version(self, number: int) -> Version | None:
        """Return the version of that number, or None."""
        return next((each for each in self.versions if each.number == number), None)

    def schemas(self, version: Version | None) -> Schemas:
        """Return the schemas of a version: its own, or else the action's."""
        if version is None or version.schemas is None:
            return Schemas(self.params, self.result)
        return version.schemas


class Operation(NamedTuple):
    """One operation of a connector, with its data in the inner form."""

    name: str
    """Full name, such as `mail.send`."""
    summary: str
    params: Schema
    result: Schema


class ConcurrencyLimits(NamedTuple):
    """How many calls of one connector may run and wait."""

    at_once: int = 256
    of_one: int = 8
    """At once for one tenant, so that its dead service leaves room for the others': while a breaker is open
    it holds none, and one when that is tried again."""
    waiting: int = 1000
    waiting_of_one: int = 100


class Connector(NamedTuple):
    """A connector to an outside service; only functions call it."""

    name: str
    summary: str
    not_subscribed: str | None
    """The action that words the error for end users of a tenant without a subscription."""
    settings: Schema
    """Schema of a tenant's settings for it; any object if the index states none."""
    operations: Mapping[str, Operation]
    """Operations by full name."""
    versions: tuple[Version, ...]
    """The newest first."""
    room: ConcurrencyLimits = ConcurrencyLimits()

    def version(self, number: int) -> Version | None:
        """Return the version of that number, or None."""
        return next((each for each in self.versions if each.number == number), None)


class ConfigSchemas(NamedTuple):
    """Schemas of a tenant's config."""

    settings: Schema
    """Schema of the settings that functions read; any object if the index states none."""
    whitelabel: Schema
    """Schema of what end users see; actors/index/defaults.py has the default."""


class MigrationScripts(NamedTuple):
    """What a tenant's database is built from."""

    migrations: Path | None
    """Directory of Alembic scripts; None if the index needs no tables of its own."""
    scripts: tuple[str, ...] = ()
    """Names of the scripts' files as they were when the index was read."""


class Index(NamedTuple):
    """One index file, read and valid as a whole."""

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
    storage: MigrationScripts
    config: ConfigSchemas
    screening: Screening = Screening()
    """How the params of all its actions are screened."""
    intent: IntentRules = built_in_rules()
    """The signals of bad intent."""

    def operations(self) -> dict[str, Operation]:
        """Return the operations of all connectors by full name."""
        return {
            name: operation
            for connector in self.connectors.values()
            for name, operation in connector.operations.items()
        }

    def environment(self, name: str) -> Environment:
        """Return the environment of that name; SettingsError lists the names if there is none."""
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
"""The moves from each state; an erroring version can also go back to the state it came from."""

MUTABLE = frozenset({DUMMY, UNDER_DEV})
"""States in which a version's code may change; in every other it is frozen."""


def moves(version: Version) -> tuple[str, ...]:
    """Return the states that a version may be moved to."""
    onward = MOVES[version.state]
    if version.state != ERRORING or version.before is None or version.before in onward:
        return onward
    return (*onward, version.before)


def class_name(*parts: str) -> str:
    """Join dotted and underscored names to a class name: `contacts.add`, `params` make ContactsAddParams."""
    words = re.split(r"[._]+", ".".join(parts))
    return "".join(word[:1].upper() + word[1:] for word in words)


def group_of(name: str) -> str:
    """Return the part before the last dot; a name without a dot is its own group."""
    return name.rpartition(".")[0] or name


def module_name(name: str, version: int) -> str:
    """Return the module name of one version: `contacts_merge_2` for version 2 of `contacts.merge`."""
    return f"{name.replace('.', '_')}_{version}"
