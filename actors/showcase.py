"""`serve --demo`: makes the demo tenants, fills them as any client would, and says how to call them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from actors import demo
from actors.access import ADMIN_OWNER
from actors.assembly.system import System
from actors.errors import SettingsError
from actors.host.files import write_private
from transport.client import Client

TENANTS = ("acme", "globex")

LABEL = "demo"


def prepare(system: System, data: Path) -> Iterator[str]:
    """Make what is missing, write demo.json, and give the lines to print."""
    if system.settings.curve_keys is not None:
        raise SettingsError("--demo is for trying out on loopback: leave TENANTRY_CURVE_KEYS unset")
    _require_desk(system)
    tokens = {name: _token(system, name) for name in TENANTS}
    content = {"endpoint": system.endpoint, "tokens": tokens}
    write_private(data / "demo.json", json.dumps(content, indent=2) + "\n")
    yield "demo tenants: acme and globex; in another terminal:"
    yield "  scripts/call acme contacts.find text=ada"
    yield "  scripts/call acme tickets.list state=open"
    yield "  scripts/call globex contacts.add name='Grace Hopper' email=grace@example.com"
    yield "  scripts/call - system.ping"


def _require_desk(system: System) -> None:
    """SettingsError where the index is another one, before anything is made."""
    asked = {action for name in TENANTS for action, _ in demo.requests(name)}
    missing = sorted(asked - system.tables.current.routes.keys())
    if missing:
        raise SettingsError(
            f"--demo needs {missing[0]}, which {system.settings.registry} does not describe: "
            "leave TENANTRY_REGISTRY (--registry) unset, or --demo"
        )


def _token(system: System, name: str) -> str:
    """A token for the tenant, which is made and filled where it is not there."""
    is_new = system.local.find_tenant(name) is None
    if is_new:
        system.local.create_tenant(name)
    token = system.local.issue_token(name, ADMIN_OWNER, LABEL).text
    if is_new:
        _fill(system.endpoint, name, token)
    return token


def _fill(endpoint: str, name: str, token: str) -> None:
    with Client(endpoint, tenant=name, token=token) as client:
        sent = [
            client.submit(action, params, id=f"demo-{number}")
            for number, (action, params) in enumerate(demo.requests(name), start=1)
        ]
        for pending in sent:
            pending.result()
