"""The writer of replies: an outcome is worded, encoded and stored once, and waits for its commit."""

from __future__ import annotations

import time

from msgspec.structs import replace

from actors import replies
from actors.messages import TenantRequest
from actors.tenant.request.environment import TenantEnvironment
from actors.tenant.request.failures import FailureReporter
from actors.tenant.request.outcome import Outcome
from actors.tenant.request.pending import HeldReply
from actors.tenant.request.stored_replies import StoredReplies
from transport import codec
from transport.message import Refusal


class ReplyWriter:
    """Writes one tenant's replies, in the words of its profile."""

    def __init__(
        self,
        environment: TenantEnvironment,
        failures: FailureReporter,
        stored_replies: StoredReplies,
    ) -> None:
        self._stored_replies = stored_replies
        self._environment = environment
        self._database = environment.database
        self._failures = failures

    def write(self, outcome: Outcome) -> HeldReply:
        """Encode the reply. That to a write that has succeeded is stored under its id.

        Raises EncodeError if no reply can hold the result, and the driver's errors if it cannot be stored.
        """
        work, digest, began = outcome.work, outcome.digest, outcome.began
        if outcome.refusal is not None:
            return self.refuse(outcome)
        if outcome.stored is not None:
            return self._repeat(outcome, outcome.stored)
        body = self.encode(outcome)
        if digest is None:
            return HeldReply(work, body, False, outcome.route, None, began, time.monotonic())
        self._stored_replies.add(work, digest, body)
        return HeldReply(work, body, True, outcome.route, None, began, time.monotonic())

    def encode(self, outcome: Outcome) -> bytes:
        """Return the reply to a success. Raises EncodeError."""
        route, result = outcome.route, outcome.result
        assert route is not None
        assert result is not None
        message = None if route.function is not None else replies.NOT_IMPLEMENTED_TEXT
        return replies.encode_result(outcome.work, route, result, message)

    def refuse(self, outcome: Outcome) -> HeldReply:
        """Encode a refusal in the tenant's words. One that no reply can hold is a defect."""
        refusal = outcome.refusal or self._failures.refusal_of(outcome)
        refusal = self._localise(refusal)
        work = outcome.work
        try:
            body = replies.encode_refusal(work, refusal, as_it_is=True)
        except codec.EncodeError as error:
            refusal = self._localise(self._failures.explain_defect(outcome.failed(error)))
            body = replies.encode_refusal(work, refusal)
        route = outcome.route or self._environment.table.routes.get(work.request.action)
        return HeldReply(work, body, False, route, refusal, outcome.began, time.monotonic())

    def replace(self, pending: HeldReply, refusal: Refusal) -> HeldReply:
        """Return a refusal in place of a reply whose commit failed."""
        refusal = self._localise(refusal)
        body = replies.encode_refusal(pending.work, refusal)
        return replace(pending, body=body, wrote=False, refusal=refusal, replayed=False)

    def stored_content(self, work: TenantRequest) -> bytes | None:
        """Return what is stored under the id of a request: its reply, or its progress."""
        stored = self._database.replies.find(*work.whose)
        return stored and stored[1]

    def _repeat(self, outcome: Outcome, stored: bytes) -> HeldReply:
        body = replies.encode_stored(outcome.work, stored)
        refusal = codec.parse_reply(body).error
        now = time.monotonic()
        return HeldReply(
            outcome.work, body, True, outcome.route, refusal, outcome.began, now, replayed=True
        )

    def _localise(self, refusal: Refusal) -> Refusal:
        return replies.localise(refusal, self._environment.config)
