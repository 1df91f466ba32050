"""Finds the endpoint and token of a call from a shell: option, environment, or a file of the server."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from actors.host.program import as_typed, command
from scripts.cli.params import UsageError, read_map
from transport.socket_file import ENDPOINT, absolute_endpoint, is_served, path_of

__all__ = ["ENDPOINT"]

NO_TOKEN = as_typed(
    "no token was found: give --token, set TENANTRY_TOKEN, or run scripts/serve --demo"
)


class Unreachable(Exception):
    """No server listens at the address, or this user may not connect; the message says what to do."""


class ServerTarget(NamedTuple):
    """One channel of one server, and the caller's token."""

    endpoint: str
    token: str | None
    hint: str
    """Advice for callers whose token the server does not know; empty if the token was given."""


def data_directory() -> Path:
    """Return the server's data directory, as scripts/serve finds it."""
    return Path(os.environ.get("TENANTRY_DATA") or "var")


def data_channel(endpoint: str | None, token: str | None, tenant: str) -> ServerTarget:
    """Return the data channel; by default that of demo.json, with the tenant's token from there."""
    demo = _read_demo(data_directory() / "demo.json")
    endpoint = endpoint or os.environ.get("TENANTRY_ENDPOINT") or demo.endpoint or ENDPOINT
    token = token or os.environ.get("TENANTRY_TOKEN") or demo.tokens.get(tenant)
    return ServerTarget(absolute_endpoint(endpoint), token, "" if token else NO_TOKEN)


def admin_channel(endpoint: str | None, token: str | None) -> ServerTarget:
    """Return the admin channel; by default admin.sock in the data directory, with the token in admin.token.

    TENANTRY_TOKEN is for the data channel alone: an owner's token in the environment of a shell does not
    take the place of the operator's.
    """
    data = data_directory()
    named = endpoint or os.environ.get("TENANTRY_ADMIN_ENDPOINT") or f"ipc://{data}/admin.sock"
    endpoint = absolute_endpoint(named)
    token = token or os.environ.get("TENANTRY_ADMIN_TOKEN")
    if token:
        return ServerTarget(endpoint, token, "")
    file = data / "admin.token"
    advice = (
        "start the server once with --admin-token to have another made, give --token-file, "
        "or set TENANTRY_ADMIN_TOKEN"
    )
    try:
        return ServerTarget(
            endpoint, read_token(file), f"the token in {file} is not good: {advice}"
        )
    except FileNotFoundError:
        return ServerTarget(
            endpoint, None, f"no token was found: there is no {file}. If it is lost, {advice}"
        )


def known_tenants() -> list[str]:
    """Return the tenants whose tokens demo.json has; none without one, or if it cannot be read."""
    try:
        return sorted(_read_demo(data_directory() / "demo.json").tokens)
    except UsageError:
        return []


def require_listener(endpoint: str) -> None:
    """Raise Unreachable if no server listens at a socket file: ZeroMQ would wait without an error."""
    path = path_of(endpoint)
    if path is None:
        return
    try:
        if is_served(path):
            return
    except PermissionError:
        raise Unreachable(f"{path} is for the server's user alone: {_as_owner(path)}") from None
    except OSError as error:
        raise Unreachable(f"{path} cannot be reached: {error}") from None
    raise Unreachable(
        f"no server listens at {path}: is it running? Start it with {command('serve')}; "
        "TENANTRY_DATA says where its data directory is"
    )


def read_token(file: Path) -> str:
    """Return the token in a file. Raises FileNotFoundError, UsageError."""
    try:
        if stat.S_ISREG(mode := file.stat().st_mode) and mode & 0o077:
            raise UsageError(f"{file} is open to others: chmod 600 {file}")
        token = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise
    except PermissionError:
        raise UsageError(f"{file} is for the server's user alone: {_as_owner(file)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {type(error).__name__}") from None
    if not token.isprintable() or not token or " " in token:
        raise UsageError(f"{file} holds no token: one line of text is what it should be")
    return token


class _Demo(NamedTuple):
    """The content of demo.json, which `scripts/serve --demo` writes."""

    endpoint: str | None
    tokens: dict[str, str]


def _read_demo(file: Path) -> _Demo:
    """Return the content of demo.json, empty without one; UsageError if it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _Demo(None, {})
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    content = read_map(text, str(file))
    return _Demo(content.get("endpoint"), content.get("tokens") or {})


def _as_owner(path: Path) -> str:
    """Return how to run as the file's owner, or as the directory's if the file cannot be read."""
    for each in (path, path.parent):
        try:
            return f"run this as that user (sudo -u {each.owner()} {command('call')} …)"
        except (OSError, KeyError):
            continue
    return "run this as that user"
