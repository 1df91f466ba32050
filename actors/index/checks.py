"""Checks of what belongs together: an action's access and channel, a connector and the action it names.

Also of the requests that a version names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from actors.access import ADMIN, DATA, OWNER, PLATFORM_LEVELS
from actors.errors import InvalidArgument
from actors.index.entries import Action, Connector
from actors.index.toml import TomlReader
from actors.schema.source import did_you_mean

WORDS = "user_message"
"""The property of its result that end users read."""


VERSION_KEYS = (
    *("version", "state", "code", "requests"),
    *("request", "by", "before", "digest", "imports", "schemas"),
)
"""What a table may state of a version; the Registry writes the second half."""

REQUEST = re.compile(r"R-[1-9][0-9]{0,17}\Z")
"""The id of a user request."""

MOST_REQUESTS = 20
"""Requests that one version may name."""


def named_requests(table: TomlReader) -> tuple[str, ...]:
    """Read the user requests that a version serves, and note what is no request's id."""
    found = table.texts("requests")
    for at, text in enumerate(found):
        if not REQUEST.match(text):
            table.note(f"{text!r} is no request: write them as R-12", "requests", at)
    if len(found) > MOST_REQUESTS:
        table.note(f"names {len(found)} requests, of at most {MOST_REQUESTS}", "requests")
    return found


def check_not_subscribed_action(action: Action, connector: Connector) -> Iterator[str]:
    """Yield what keeps the action from being called while a request is refused."""
    if action.effect != "read" or action.channel != DATA:
        yield 'must have effect = "read" and channel = "data": what is refused leaves nothing'
    asked = {"connector": connector.name, "operation": f"{connector.name}.operation"}
    try:
        action.params.parse(asked)
    except InvalidArgument as problem:
        yield f"must take connector and operation, and nothing else has to be there: {problem}"
    result = action.result.source
    if WORDS not in result.get("properties", {}) or WORDS not in result.get("required", ()):
        yield f"must answer {WORDS}: required in its result"


def check_wording(connector: Connector, actions: Mapping[str, Action]) -> Iterator[str]:
    """Of the action that it names, if it names one."""
    name = connector.not_subscribed
    if not name:
        return
    action = actions.get(name)
    if action is None:
        yield f"{name!r} is no action{did_you_mean(name, actions)}"
    else:
        yield from (f"{name!r} {flaw}" for flaw in check_not_subscribed_action(action, connector))


def check_access(action: Action, table: TomlReader) -> None:
    """Refuse what would promise access that no caller has, or ask for what no caller asks."""
    on_platform = action.access in PLATFORM_LEVELS
    if on_platform and action.channel != ADMIN:
        table.note(
            f'{action.access} needs channel = "admin": a token of the platform belongs to no tenant, '
            "and the data channel serves tenants' own",
            "access",
        )
    if action.area is not None and action.access != OWNER:
        table.note(
            f'is delegated to owners: it needs access = "owner", not "{action.access}"', "area"
        )
    if action.platform is None:
        return
    if on_platform:
        table.note(f"leave it out: access is {action.access} already", "platform")
    elif action.channel == DATA:
        table.note('needs channel = "admin": the data channel serves tenants\' own', "platform")
