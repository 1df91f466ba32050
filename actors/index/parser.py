"""Reads the index: one TOML file, taken whole or refused whole with every problem it has."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from actors.access import AREAS, BOTH, CHANNELS, LEVELS, PLATFORM_LEVELS
from actors.errors import IndexProblem
from actors.host.released import folder_of
from actors.index.checks import VERSION_KEYS, check_access, check_wording, named_requests
from actors.index.code import REFERENCE
from actors.index.defaults import SETTINGS, default_schema
from actors.index.entries import (
    DEFAULT_ENVIRONMENTS,
    DUMMY,
    EFFECTS,
    RESERVED,
    STATES,
    Action,
    ConcurrencyLimits,
    ConfigSchemas,
    Connector,
    Environment,
    Index,
    MigrationScripts,
    Operation,
    Schemas,
    Threshold,
    Version,
)
from actors.index.imports import frozen_imports
from actors.index.intent import read_intent
from actors.index.screening import read_screening
from actors.index.toml import TomlReader
from actors.schema.schema import Schema, SchemaProblem
from actors.schema.shapes import Shapes, expand, find_problems
from actors.schema.source import (
    Source,
    SourceProblem,
    did_you_mean,
    index_problem,
    parse_source,
    read_source,
    unsendable,
)

Numbers = TypeVar("Numbers", Threshold, ConcurrencyLimits)

MOST_SCHEMA_BYTES = 64 * 1024
"""Params and result of one action as JSON: keeps a page of system.describe below a message's limit."""

_ACTION_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\Z")
_LONGEST_NAME = 128
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_ENVIRONMENT_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


BUILT_IN = Path(__file__).parents[1] / "admin" / "registry.toml"
"""The engine's own part; its code lies below the directory that holds `actors`."""


SHIPPED = Path(__file__).parents[1] / "connectors" / "registry.toml"
"""The connectors that come with the engine, for the indexes that use them."""

USED = ("use", "summary", "not_subscribed", "room", "versions")
"""What an index may say of a connector that it takes over."""


def read_index(path: Path) -> Index:
    """Read an index file; IndexProblem lists everything wrong with it by file, line and key."""
    return _read(read_source(path), folder_of(path), built_in_index())


def read_served_index(path: Path) -> Index:
    """As `read_index`; IndexProblem, too, where it describes nothing: such a file was lost, not written."""
    index = read_index(path)
    if not index.actions and not index.connectors:
        raise IndexProblem(f"{path}: describes no action: restore it, or describe one in it")
    return index


def parse_index(path: Path, text: str) -> Index:
    """What `read_index` would make of the file if it held this text."""
    return _read(parse_source(path, text), folder_of(path), built_in_index())


def parse_version(index: Index, owner: str, stated: Mapping[str, Any]) -> Version | None:
    """Return one version of an action or connector as its table states it; None if it is unsound."""
    findings = list(unsendable(stated))
    reader = _Reader(Source(index.path, "", {}), index.root, None, findings)
    version = reader.read_version(owner, TomlReader(stated, (), findings))
    return None if findings else version


@functools.cache
def shipped_connectors() -> Mapping[str, dict[str, Any]]:
    """Return what an index takes over with `use`: the tables of connectors that come with the engine."""
    source = read_source(SHIPPED)
    _read(source, BUILT_IN.parents[2], None)  # raises what is wrong with it
    return MappingProxyType(source.values["connectors"])


@functools.cache
def built_in_index() -> Index:
    """What the engine itself can be asked for, in addition to the index that a server runs."""
    return _read(read_source(BUILT_IN), BUILT_IN.parents[2], None)


def _read(source: Source, root: Path, built_in: Index | None) -> Index:
    findings: list[SourceProblem] = []
    index = _Reader(source, root, built_in, findings).index()
    if findings:
        raise index_problem(source, findings)
    return index


class _Reader:
    """One reading of one file. Goes on after a problem, so that all are reported together."""

    def __init__(
        self, source: Source, root: Path, built_in: Index | None, findings: list[SourceProblem]
    ) -> None:
        """`root` is where code and migrations resolve; no name of what is `built_in` may be used again."""
        self._source = source
        self._root = root
        self._actions: Mapping[str, Action] = built_in.actions if built_in else {}
        self._connectors: Mapping[str, Connector] = built_in.connectors if built_in else {}
        self._channels = CHANNELS if built_in else (*CHANNELS, BOTH)
        self._findings = findings
        self._is_sound = built_in is None  # it comes with the engine, whose tests prove it
        self._shapes: Shapes = {}
        self._broken_shapes: set[str] = set()

    def index(self) -> Index:
        top = TomlReader(self._source.values, (), self._findings)
        top.only(
            "environments", "storage", "config", "screening", "intent", "shapes", "actions",
            "connectors",
        )  # fmt: skip
        self._read_shapes(top)
        actions = {name: self._action(name, table) for name, table in top.tables("actions")}
        connectors = {
            name: self._connector(name, table) for name, table in top.tables("connectors")
        }
        self._check_references(actions, connectors)
        operations = [name for each in connectors.values() for name in each.operations]
        actions, screening = read_screening(top.table("screening"), actions, operations)
        actions, intent = read_intent(top.table("intent"), actions)
        return Index(
            path=self._source.path,
            root=self._root,
            digest=sha256(self._source.text.encode()).hexdigest(),
            text=self._source.text,
            environments=MappingProxyType(self._environments(top)),
            actions=MappingProxyType(actions),
            connectors=MappingProxyType(connectors),
            storage=self._storage(top.table("storage")),
            config=self._config(top.table("config")),
            screening=screening,
            intent=intent,
        )

    def _environments(self, top: TomlReader) -> dict[str, Environment]:
        found = {each.name: each for each in DEFAULT_ENVIRONMENTS}
        for name, table in top.tables("environments"):
            table.only("serves", "testers", "erroring_after")
            if not _ENVIRONMENT_NAME.match(name):
                table.note("must be named in lower case, with - between words")
            if "serves" not in table:
                table.note("serves is missing: it must list the states served here")
            testers = table.choices("testers", STATES)
            if "testers" not in table and name in found:
                testers = found[name].testers
            found[name] = Environment(
                name, table.choices("serves", STATES), testers, _threshold(table)
            )
        return found

    def _storage(self, table: TomlReader) -> MigrationScripts:
        table.only("migrations")
        stated = table.optional_text("migrations")
        if stated is None:
            return MigrationScripts(None)
        migrations = Path(os.path.normpath(self._root / stated))
        if not migrations.resolve().is_relative_to(self._root.resolve()):
            table.note(f"must be below {self._root}", "migrations")
        elif not migrations.is_dir():
            table.note(f"{migrations} is not a directory", "migrations")
        scripts = (migrations / "versions").glob("*.py")
        return MigrationScripts(migrations, tuple(sorted(each.name for each in scripts)))

    def _read_shapes(self, top: TomlReader) -> None:
        """Check each by itself, so that a problem is told once and not by all who refer to it."""
        self._shapes = top.mapping("shapes")
        for name, table in top.tables("shapes"):
            if not _PLAIN_NAME.match(name):
                table.note("must be named in lower case (letters, digits, _)")
            flaws = [] if self._is_sound else find_problems(name, self._shapes)
            if flaws != []:
                self._broken_shapes.add(name)
            for key, text in flaws or ():
                table.note(text, *key)

    def _config(self, table: TomlReader) -> ConfigSchemas:
        table.only("settings", "whitelabel")
        return ConfigSchemas(*(self._config_part(table, part) for part in ConfigSchemas._fields))

    def _config_part(self, table: TomlReader, part: str) -> Schema:
        if part not in table:
            return default_schema(part)
        return self._schema(f"config.{part}", table, part)

    # Actions

    def _action(self, name: str, table: TomlReader) -> Action:
        before = len(self._findings)
        self._check_action_name(name, table)
        table.only(
            "summary", "access", "area", "platform", "channel", "effect", "connectors",
            "instructions", "params", "result", "versions",
        )  # fmt: skip
        action = Action(
            name=name,
            summary=table.text("summary"),
            access=table.choice("access", LEVELS),
            area=table.optional_choice("area", AREAS),
            platform=table.optional_choice("platform", PLATFORM_LEVELS),
            channel=table.choice("channel", self._channels, "data"),
            effect=table.choice("effect", EFFECTS),
            connectors=table.texts("connectors"),
            instructions=table.text("instructions", ""),
            params=self._schema(f"{name}.params", table, "params"),
            result=self._schema(f"{name}.result", table, "result"),
            versions=self._versions(name, table),
        )
        if len(self._findings) == before:
            check_access(action, table)
        size = len(json.dumps([action.params.source, action.result.source]))
        if size > MOST_SCHEMA_BYTES:
            table.note(
                f"params and result take {size} bytes as JSON, of at most {MOST_SCHEMA_BYTES}"
            )
        return action

    def _check_action_name(self, name: str, table: TomlReader) -> None:
        if name in self._actions:
            table.note("is built in: choose another name")
        elif name.startswith(RESERVED):
            table.note(f"{RESERVED} is reserved for what is built in: choose another name")
        elif not _ACTION_NAME.match(name) or len(name) > _LONGEST_NAME:
            table.note(
                "must be named in dotted lower case (letters, digits, _), at most "
                f"{_LONGEST_NAME} characters"
            )
        elif "summary" not in table and "access" not in table:
            table.note(f'is this the beginning of a dotted name? Quote it: [actions."{name}.…"]')

    def _schema(self, name: str, table: TomlReader, part: str) -> Schema:
        whole = expand(table.mapping(part), self._shapes)
        findings = whole.findings
        if not findings and not whole.shapes & self._broken_shapes:
            try:
                return Schema.build(name, whole.schema, is_sound=self._is_sound)
            except SchemaProblem as problem:
                findings = problem.findings
        for key, text in findings:
            table.note(text, part, *key)
        return Schema.build(name, {})

    def _versions(self, name: str, owner: TomlReader) -> tuple[Version, ...]:
        versions: dict[int, Version] = {}
        for table in owner.array("versions"):
            version = self.read_version(name, table)
            if version.number in versions:
                table.note(f"version {version.number} is there already", "version")
            versions[version.number] = version
        return tuple(versions[number] for number in sorted(versions, reverse=True))

    def read_version(self, name: str, table: TomlReader) -> Version:
        """Read one version of the action or connector of this name."""
        table.only(*VERSION_KEYS)
        version = Version(
            number=table.number("version"),
            state=table.choice("state", STATES),
            code=table.optional_text("code"),
            request=table.optional_text("request"),
            by=table.optional_text("by"),
            before=table.optional_choice("before", STATES),
            digest=table.optional_text("digest"),
            imports=frozen_imports(table),
            schemas=self._frozen(name, table),
            requests=named_requests(table),
        )
        if version.digest is not None and not _DIGEST.match(version.digest):
            table.note("must be a SHA-256 in hexadecimal, as the Registry writes it", "digest")
        if version.code is None and version.state != DUMMY:
            table.note("code is missing: only a dummy does without")
        elif version.code is not None and not REFERENCE.match(version.code):
            table.note("must be written package.module:name", "code")
        return version

    def _frozen(self, name: str, table: TomlReader) -> Schemas | None:
        """What the Registry has written down when the version left `under dev`."""
        text = table.optional_text("schemas")
        if text is None:
            return None
        try:
            stated = json.loads(text)
            if next(unsendable(stated), None) is not None:
                raise ValueError(text)
            return Schemas(
                *(Schema.build(f"{name}.{part}", stated[part]) for part in Schemas._fields)
            )
        except (ValueError, KeyError, TypeError, SchemaProblem, RecursionError):
            table.note("must be as the Registry wrote it: take the text back", "schemas")
            return None

    # Connectors

    def _connector(self, name: str, table: TomlReader) -> Connector:
        if name in self._connectors:
            table.note("is built in: choose another name")
        elif not _PLAIN_NAME.match(name):
            table.note("must be named in lower case (letters, digits, _)")
        if "use" in table:
            table.only(*USED)
            table = table.over(shipped_connectors()[table.choice("use", shipped_connectors())])
        else:
            table.only("summary", "not_subscribed", "settings", "room", "operations", "versions")
        operations = [
            self._operation(f"{name}.{each}", inner) for each, inner in table.tables("operations")
        ]
        return Connector(
            name=name,
            summary=table.text("summary"),
            not_subscribed=table.optional_text("not_subscribed"),
            settings=self._settings(f"{name}.settings", table),
            operations=MappingProxyType({each.name: each for each in operations}),
            versions=self._versions(name, table),
            room=_given(ConcurrencyLimits(), table, "room"),
        )

    def _settings(self, name: str, table: TomlReader) -> Schema:
        if "settings" not in table:
            return Schema.build(name, SETTINGS)
        return self._schema(name, table, "settings")

    def _operation(self, name: str, table: TomlReader) -> Operation:
        if not _PLAIN_NAME.match(name.partition(".")[2]):
            table.note("must be named in lower case (letters, digits, _)")
        table.only("summary", "params", "result")
        return Operation(
            name=name,
            summary=table.text("summary", ""),
            params=self._schema(f"{name}.params", table, "params"),
            result=self._schema(f"{name}.result", table, "result"),
        )

    # Between the two

    def _check_references(
        self, actions: Mapping[str, Action], connectors: Mapping[str, Connector]
    ) -> None:
        callable_here = (*connectors.values(), *self._connectors.values())
        operations = {name for each in callable_here for name in each.operations}
        for action in actions.values():
            for at, name in enumerate(action.connectors):
                if name not in operations:
                    self._findings.append(
                        SourceProblem(
                            ("actions", action.name, "connectors", at),
                            f"{name!r} is no operation of a connector{did_you_mean(name, operations)}",
                        )
                    )
        for connector in connectors.values():
            place = ("connectors", connector.name, "not_subscribed")
            for problem in check_wording(connector, actions):
                self._findings.append(SourceProblem(place, problem))


def _threshold(owner: TomlReader) -> Threshold:
    return _given(Threshold(), owner, "erroring_after")


def _given(numbers: Numbers, owner: TomlReader, name: str) -> Numbers:
    """What the file does not state is as it is anywhere."""
    table = owner.table(name)
    table.only(*numbers._fields)
    said = {field: table.number(field) for field in numbers._fields if field in table}
    return numbers._replace(**said)
