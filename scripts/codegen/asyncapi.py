"""Writes an AsyncAPI 3.0 document: the requests that a server of this index accepts, and its replies.

As JSON, which every reader of AsyncAPI takes and Python writes the same way every time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.access import ADMIN, DATA
from actors.guidance.commands import example_params, names_tenant
from actors.index.entries import Action, Index
from scripts.codegen.offer import group_of, offered
from scripts.codegen.schemas import components, needs_token, parts, reply, request
from transport.message import VERSION
from transport.socket_file import ENDPOINT

CONTENT_TYPES = ("application/json", "application/vnd.msgpack")
"""Content types of messages: the first byte shows which it is, and the reply uses the request's."""

ENDPOINTS = {DATA: ENDPOINT, ADMIN: "ipc://var/admin.sock"}
"""Default addresses of the channels."""

DESCRIPTION = """\
Requests and replies over ZeroMQ: the server binds a ROUTER socket, a client connects a DEALER or a REQ. \
One message is one frame that holds one map, as JSON or as msgpack: the same maps, and the first byte shows \
which; the reply uses the request's encoding. Replies are matched by `id` and may come in any order. \
`ok: true` means that the effect is on disk; the same `id` sent again gets the same reply and has no second \
effect."""

SOCKETS = {
    "title": "ZeroMQ",
    "protocol": "zmtp",
    "protocolVersion": "3",
}

ANSWERED = {
    "version": 1,
    "state": "release",
    "reason": "newest",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
}

REFUSED = {
    "v": VERSION,
    "id": "r-1",
    "ok": False,
    "error": {
        "code": "invalid_argument",
        "message": "timeout: unknown field; did you mean timeout_ms?",
        "details": [{"field": "timeout", "problem": "unknown field; did you mean timeout_ms?"}],
    },
    "meta": {"trace_id": ANSWERED["trace_id"]},
}


def asyncapi(index: Index) -> dict[str, Any]:
    """Return the document of an index."""
    actions = offered(index)
    channels = [each for each in ENDPOINTS if any(action.channel == each for action in actions)]
    return {
        "asyncapi": "3.0.0",
        "info": _info(actions),
        "defaultContentType": CONTENT_TYPES[0],
        "servers": {each: _server(each) for each in channels},
        "channels": {each: _channel(each, actions) for each in channels},
        "operations": {each.name: _operation(each) for each in actions},
        "components": _components(actions),
    }


def request_example(action: Action) -> dict[str, Any]:
    """Return an example of a request, with valid params."""
    example: dict[str, Any] = {"id": "r-1"}
    if names_tenant(action):
        example["tenant"] = "acme"
    example |= {"action": action.name, "params": example_params(action)}
    return {**example, "token": "t_example"} if needs_token(action) else example


def reply_example(action: Action) -> dict[str, Any]:
    """Return an example of a reply, with a valid result."""
    newest = next(iter(action.versions), None)
    meta = {**ANSWERED, "version": newest.number, "state": newest.state} if newest else {
        **ANSWERED, "version": 0, "state": "dummy", "reason": "dummy"
    }  # fmt: skip
    return {"v": VERSION, "id": "r-1", "ok": True, "result": action.result.example(), "meta": meta}


def _info(actions: Iterable[Action]) -> dict[str, Any]:
    return {
        "title": "A Tenantry backend",
        "version": f"{VERSION}.0.0",
        "description": DESCRIPTION,
        "tags": [{"name": name} for name in sorted({group_of(each) for each in actions})],
        "x-generated-by": "scripts/schema",
        "x-content-types": list(CONTENT_TYPES),
    }


def _server(channel: str) -> dict[str, Any]:
    endpoint = ENDPOINTS[channel]
    return {
        "host": endpoint.partition("://")[2],
        **SOCKETS,
        "description": f"The {channel} channel at its default address. On any address that is "
        "not loopback or ipc, ZeroMQ's CURVE encrypts and the client needs the server's public key.",
        "x-endpoint": endpoint,
        "x-sockets": {"server": "ROUTER", "client": ["DEALER", "REQ"]},
    }


def _channel(channel: str, actions: Iterable[Action]) -> dict[str, Any]:
    names = [
        f"{action.name}.{part}"
        for action in actions
        if action.channel == channel
        for part in ("request", "reply")
    ]
    return {
        "address": None,
        "title": f"The {channel} channel",
        "description": "A socket: there are no topics, the action in each message says what is wanted.",
        "servers": [{"$ref": f"#/servers/{channel}"}],
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in [*names, "refusal"]
        },
    }


def _operation(action: Action) -> dict[str, Any]:
    channel = f"#/channels/{action.channel}"
    secured = {"security": [{"$ref": "#/components/securitySchemes/token"}]}
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "title": action.name,
        "summary": action.summary,
        "tags": [{"name": group_of(action)}],
        **(secured if needs_token(action) else {}),
        "messages": [{"$ref": f"{channel}/messages/{action.name}.request"}],
        "reply": {
            "channel": {"$ref": channel},
            "messages": [
                {"$ref": f"{channel}/messages/{action.name}.reply"},
                {"$ref": f"{channel}/messages/refusal"},
            ],
        },
        **_extensions(action),
    }


def _extensions(action: Action) -> dict[str, Any]:
    """Return the properties of an action for which AsyncAPI has no word, as extensions."""
    said = {
        "x-access": action.access,
        "x-area": action.area,
        "x-platform": action.platform,
        "x-effect": action.effect,
        "x-connectors": sorted(action.connectors) or None,
        "x-versions": [{"version": each.number, "state": each.state} for each in action.versions],
    }
    return {name: value for name, value in said.items() if value is not None}


def _components(actions: Iterable[Action]) -> dict[str, Any]:
    schemas, messages = parts(), {"refusal": _message("refusal", "refusal", REFUSED)}
    for action in actions:
        asked, answered = f"{action.name}.request", f"{action.name}.reply"
        schemas |= components(f"{action.name}.params", action.params.source)
        schemas |= components(f"{action.name}.result", action.result.source)
        schemas |= {asked: request(action), answered: reply(action)}
        messages[asked] = _message(asked, action.summary, request_example(action))
        messages[answered] = _message(
            answered, f"The result of {action.name}.", reply_example(action)
        )
    return {
        "securitySchemes": {"token": _TOKEN},
        "correlationIds": {"id": {"location": "$message.payload#/id"}},
        "messages": messages,
        "schemas": schemas,
    }


_TOKEN = {
    "type": "apiKey",
    "in": "password",
    "description": "A bearer token, in the field `token` of every request. It belongs to one tenant.",
}


def _message(name: str, summary: str, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "summary": summary,
        "correlationId": {"$ref": "#/components/correlationIds/id"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "examples": [{"name": "example", "payload": example}],
    }
