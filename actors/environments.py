"""The profiles of environments, in `environments.toml` beside the index: with what each is served.

A profile states settings by their names; a variable or a flag wins over it. The rules of a hosted environment
are not for a profile to weaken, nor for a variable or a flag.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import structlog
from pydantic import ValidationError

from actors.errors import SettingsError
from actors.host.released import FOLDER, JOURNAL, current, released_index, settle
from actors.index.entries import DEFAULT_ENVIRONMENTS
from actors.schema.source import did_you_mean
from actors.settings import LOCAL_DEV, Settings, read_settings
from transport.socket_file import ENDPOINT, path_of

log = structlog.get_logger()

FILE = "environments.toml"
"""Beside the index."""

HOSTED = "hosted-"
"""Begins the name of an environment that others than its developers use."""

CURVE = "curve"

FOR_ONE_START = frozenset({"adopt", "accept_audit", "admin_token"})
UNPROFILED = FOR_ONE_START | {"environment", "registry"}
"""Settings that no profile may state."""

BOUNDS = (
    *("token_rate", "tenant_rate", "connection_rate", "stranger_ms"),
    *("log_bytes", "memory_bytes"),
)
"""Settings for which 0 is no bound."""

LEAST_LOG_DAYS = 7

ADDRESSES = ("endpoint", "admin_endpoint")

PATHS = frozenset(
    name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)
)
"""Settings that name files or directories."""

Profile = Mapping[str, Any]


def read_profiles(index: Path) -> dict[str, Profile]:
    """Return the profiles beside an index by the names of their environments; none if there is no file.

    Paths are relative to the file. SettingsError for a file that cannot be read, a name that is no
    environment or no setting, and for two environments that share a data directory or an address.
    """
    file = index.parent / FILE
    content = _read(file)
    problems = list(_problems(content, _known(index))) if content else []
    if problems:
        raise SettingsError(f"{file}: {'; '.join(problems)}")
    profiles = {name: _resolved(name, stated, file.parent) for name, stated in content.items()}
    shared = list(_shared(profiles))
    if shared:
        raise SettingsError(f"{file}: {'; '.join(shared)}")
    return profiles


def read_environment(arguments: list[str]) -> Settings:
    """Return the settings of a server that is started with these arguments; raises SettingsError.

    An environment that was deployed to serves its release; a deploy that was cut short is settled before.
    """
    return of_release(in_environment(read_settings(arguments)))


def of_release(settings: Settings) -> Settings:
    """With the index of the release that was deployed to the data directory, if one was.

    SettingsError if a deploy that was cut short cannot be settled.
    """
    if settings.environment == LOCAL_DEV:
        return settings
    try:
        if settled := settle(settings.data):
            log.warning("a deploy was settled", result=settled)
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError(
            f"{settings.data / FOLDER / JOURNAL} cannot be settled ({type(error).__name__}: {error}): "
            "restore it from a copy, or see to the disk"
        ) from None
    index = released_index(settings.data)
    if index is None:
        return settings
    log.info("a release is served", index=str(index), release=current(settings.data))
    return settings.model_copy(update={"registry": index})


def in_environment(settings: Settings) -> Settings:
    """With what the profile of the environment states, and the command line and the variables do not.

    SettingsError for a profile that is unsound, and for a hosted environment that is not secure.
    """
    profiles = read_profiles(settings.registry)
    if not _is_known(settings.environment, settings.registry):
        return settings  # the index says which there are
    profile = profiles.get(settings.environment, {})
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    usual: dict[str, Any] = {"registry": settings.registry}
    if settings.environment != LOCAL_DEV:
        usual["states"] = "data"
    if settings.environment.startswith(HOSTED):
        usual["security"] = CURVE
    try:
        settings = Settings(**{**usual, **profile, **given})
    except ValidationError as error:
        stated = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
        raise SettingsError(
            f"{settings.registry.parent / FILE}: [{settings.environment}]: {stated}"
        ) from None
    require_hosted(settings)
    return settings


def require_hosted(settings: Settings) -> None:
    """Raise SettingsError if a hosted environment would be served with less than it requires."""
    if settings.watch and settings.environment != LOCAL_DEV:
        raise SettingsError(
            f"--watch is for {LOCAL_DEV}: in {settings.environment} an edit is taken in with functions.diff "
            "and functions.reload"
        )
    problems = [] if not settings.environment.startswith(HOSTED) else list(_weak(settings))
    if settings.security == CURVE and settings.curve_keys is None:
        problems.append(
            "it requires CURVE: make keys with `keys server`, and name them in curve_keys "
            "(TENANTRY_CURVE_KEYS)"
        )
    if problems:
        raise SettingsError(f"{settings.environment} cannot be served so: {'; '.join(problems)}")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from None


def _is_known(name: str, index: Path) -> bool:
    """Whether there is such an environment; the index is read only for one that it has to state."""
    return any(each.name == name for each in DEFAULT_ENVIRONMENTS) or name in _names_of(index)


def _known(index: Path) -> set[str]:
    return {*_names_of(index), *(each.name for each in DEFAULT_ENVIRONMENTS)}


def _names_of(index: Path) -> Iterable[str]:
    """The environments that an index states; none of one that its reader will refuse."""
    try:
        return tuple(tomllib.loads(index.read_text(encoding="utf-8")).get("environments", ()))
    except (OSError, ValueError, TypeError):
        return ()


def _problems(content: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    known = Settings.model_fields
    for name, stated in content.items():
        if name not in names:
            yield f"[{name}] is no environment{did_you_mean(name, names)}"
        elif not isinstance(stated, dict):
            yield f"{name} must be a table: write [{name}]"
        else:
            for key in stated.keys() - known.keys():
                yield f"{name}.{key} is no setting{did_you_mean(key, known)}"
            for key in stated.keys() & UNPROFILED:
                yield f"{name}.{key} is for the command line: leave it out"


def _resolved(name: str, stated: Profile, folder: Path) -> Profile:
    """With paths relative to the file, and a data directory of its own."""
    values = {"data": f"var/{name}", **stated}
    for key, value in values.items():
        if key in PATHS and isinstance(value, str):
            values[key] = str(folder / value)
        elif key in ADDRESSES and isinstance(value, str) and (path := path_of(value)) is not None:
            values[key] = f"ipc://{folder / path}"
    return MappingProxyType(values)


def _shared(profiles: Mapping[str, Profile]) -> Iterator[str]:
    """Two environments with one data directory or one address."""
    used: dict[str, str] = {}
    for name, profile in profiles.items():
        for what in _uses(profile):
            if what in used:
                yield f"{used[what]} and {name} share {what}: give each its own"
            used[what] = name


def _uses(profile: Profile) -> Iterator[str]:
    yield f"the data directory {Path(profile['data']).resolve()}"
    addresses = [profile.get("endpoint", ENDPOINT), profile.get("admin_endpoint")]
    for address in filter(None, addresses):
        port = str(address).rpartition(":")[2]
        if not str(address).startswith("tcp://"):
            yield f"the address {address}"
        elif port not in {"0", "*"}:
            yield f"port {port}"
    for name in ("metrics_port", "http"):
        if profile.get(name):
            yield f"port {profile[name]}"


def _weak(settings: Settings) -> Iterator[str]:
    if settings.security != CURVE:
        yield 'security = "none" is not for a hosted environment'
    if settings.demo:
        yield "demo tenants are for trying out: leave out --demo"
    if (settings.data / "demo.json").exists():
        yield f"{settings.data} has demo tenants: take another data directory"
    if settings.states == "index":
        yield "states of versions are kept with its data: leave out states"
    if settings.outward_plain:
        yield "connectors must not leave the machine without TLS: leave out outward_plain"
    if not settings.log_tenants or settings.log_days < LEAST_LOG_DAYS:
        yield (
            f"tenants' messages must be logged, and kept for {LEAST_LOG_DAYS} days: see log_tenants "
            "and log_days"
        )
    for name in BOUNDS:
        if getattr(settings, name) == 0:
            yield f"{name} = 0 is no bound: state one"
    yield from _wide(settings)


def _wide(settings: Settings) -> Iterator[str]:
    """States that a profile adds to those of the environment."""
    usual = {each.name: each for each in DEFAULT_ENVIRONMENTS}.get(settings.environment)
    if usual is None:
        return
    wide = {
        "serves": set(settings.serves) - usual.serves,
        "testers": set(settings.testers) - usual.testers - usual.serves,
    }
    for name, more in wide.items():
        for state in sorted(more):
            yield f"{name} must not have {state!r}"
