"""Calls of actions over HTTP: POST /v1/TENANT/ACTION, and GET for those that read."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from transport.gateway.admission import AddressAdmission
from transport.gateway.catalogue import Catalogue
from transport.gateway.cors import Cors, preflight_headers
from transport.gateway.envelope import JSON, Envelope, Format, trace_of
from transport.gateway.http_request import Headers, Receive, Scope, Send, read_body
from transport.gateway.http_response import (
    Pairs,
    respond,
    respond_read,
    respond_refusal,
    respond_reply,
)
from transport.gateway.query import params_in, require_no_token
from transport.gateway.server_link import Reply, ServerLink
from transport.gateway.statuses import (
    NO_CONTENT,
    HttpRefusal,
    invalid,
    no_such_path,
    wrong_method,
)
from transport.message import ACTION_PATTERN, TENANT_PATTERN, Refusal

ACTION_CHARACTERS: Final = 128

SYSTEM: Final = "system"
"""In a path, stands in a tenant's place for the actions that need none."""

TENANT = re.compile(TENANT_PATTERN.replace(r"\z", r"\Z"))
_ACTION = re.compile(ACTION_PATTERN.replace(r"\z", r"\Z"))


class CallTarget(NamedTuple):
    """What a path names."""

    tenant: str | None
    action: str


class ActionCall(NamedTuple):
    """One call, read and not sent yet."""

    target: CallTarget
    headers: Headers
    format: Format
    params: Raw


class Actions:
    """The endpoint of all actions."""

    def __init__(
        self,
        link: ServerLink,
        catalogue: Catalogue,
        cors: Cors,
        admission: AddressAdmission,
        body_bytes: int,
    ) -> None:
        self._link = link
        self._catalogue = catalogue
        self._cors = cors
        self._admission = admission
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        id, format, more = "", JSON, Pairs()
        allowed: Pairs | None = None
        try:
            headers = Headers(scope["headers"])
            id = headers.request_id()
            more.append((b"idempotency-key", id.encode()))
            target = target_of(scope["path"])
            token = headers.token()
            address = await self._admission.admit(scope, token)
            allowed = await self._cors.check(headers, target.tenant)
            more += allowed
            if scope["method"] == "OPTIONS":
                await respond(send, NO_CONTENT, preflight_headers(more), b"")
                return
            call = await self._read(scope, target, headers, receive)
            format = call.format
            reply = await self._exchange(call, id)
            if token is not None:
                self._admission.learn(address, token, reply[1])
            if scope["method"] == "POST":
                await respond_reply(send, reply, format, more)
            else:
                await respond_read(send, reply, headers.text(b"if-none-match"), more)
        except HttpRefusal as refused:
            more += self._cors.remembered(scope) if allowed is None else []
            await respond_refusal(send, refused, id, more, format)

    async def _read(
        self, scope: Scope, target: CallTarget, headers: Headers, receive: Receive
    ) -> ActionCall:
        """Return the call that a request is. HttpRefusal if it is none."""
        query: bytes = scope["query_string"]
        if scope["method"] in ("GET", "HEAD"):
            return await self._read_query(query, target, headers)
        if scope["method"] != "POST":
            raise wrong_method("GET, HEAD, OPTIONS, POST")
        if query:
            raise invalid("a POST has no query: params are the body, a token is a header")
        format = headers.format()
        body = await read_body(receive, headers, self._body_bytes)
        return ActionCall(target, headers, format, params_of(body, format))

    async def _read_query(self, query: bytes, target: CallTarget, headers: Headers) -> ActionCall:
        """Return the call of a GET: only actions that read have one."""
        require_no_token(query)
        entry = await self._catalogue.find(target.action, target.tenant, headers.token())
        if entry["effect"] != "read":
            raise wrong_method("OPTIONS, POST")
        params = JSON.encode(params_in(query, entry["params"]))
        return ActionCall(target, headers, JSON, Raw(params))

    async def _exchange(self, call: ActionCall, id: str) -> Reply:
        """Send a call and wait for its reply; HttpRefusal if there is none."""
        headers = call.headers
        envelope = Envelope(
            id=id,
            tenant=call.target.tenant,
            action=call.target.action,
            token=headers.token(),
            traceparent=trace_of(headers.text(b"traceparent")),
            timeout_ms=headers.timeout_ms(),
            params=call.params,
        )
        outcome = await self._link.call(envelope, call.format)
        if isinstance(outcome, Refusal):
            raise HttpRefusal(outcome)
        return outcome


def target_of(path: str) -> CallTarget:
    """Return the tenant and action of /v1/TENANT/ACTION; HttpRefusal if it is no such path."""
    _, _, tenant, action, *more = (*path.split("/"), "", "", "")
    if any(more) or len(action) > ACTION_CHARACTERS or not _ACTION.match(action):
        raise no_such_path()
    if tenant == SYSTEM and "." not in action:
        return CallTarget(None, f"{SYSTEM}.{action}")
    if not TENANT.match(tenant):
        raise no_such_path()
    return CallTarget(tenant, action)


def params_of(body: bytes, format: Format) -> Raw:
    """Return the params as they came; HttpRefusal if they are not one value. No body is an empty map."""
    if not body:
        return format.nothing
    try:
        return format.raw(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise invalid(f"not {format.encoding}: {error}", "params") from None
