"""Answers calls on the admin channel, each once: through the socket that it came by, or by its future."""

from __future__ import annotations

from collections.abc import Callable

from actors.admin.console.call import AdminCall
from actors.admin.console.handler import Forwarded, Outcome, Refused, Succeeded
from actors.edge.intent_watch import IntentWatch
from actors.errors import ActionError
from actors.intent.signals import OK
from actors.messages import Peer, Replies, TenantRequest
from actors.profiles import Profiles
from actors.replies import encode_refusal, localise
from actors.runtime.futures import resolve, resolve_with_error
from actors.runtime.mailbox import Mailbox
from transport.message import UNAUTHENTICATED, Refusal


class Responder:
    """Sends replies and refusals for one console, and notes what they show of their callers."""

    def __init__(
        self,
        mailbox: Mailbox,
        send: Callable[[Peer, bytes], None],
        watch: IntentWatch,
        profiles: Profiles,
    ) -> None:
        """`mailbox` is the console's; `send` replies to a peer of its own socket."""
        self._mailbox = mailbox
        self._send = send
        self._watch = watch
        self._profiles = profiles

    def answer(self, call: AdminCall, outcome: Outcome) -> None:
        """Send what came of a call, unless its caller has received a reply already."""
        if isinstance(outcome, Refused):
            self.refuse_call(call, outcome.error)
        elif not call.answered:
            call.answered = True
            self._send_result(call, outcome)

    def _send_result(self, call: AdminCall, outcome: Succeeded | Forwarded) -> None:
        """What a tenant has answered, it has counted itself."""
        if call.work is not None:
            if isinstance(outcome, Succeeded) and call.is_watched and not outcome.replayed:
                self._watch.suspect(call.work, OK)
            self._send_to(call.work, outcome.body)
        elif isinstance(outcome, Succeeded):
            resolve(call.reply_to, outcome.result)

    def refuse_call(self, call: AdminCall, error: ActionError) -> None:
        """Refuse a call, unless its caller has received a reply already."""
        if call.answered:
            return
        call.answered = True
        if call.work is None:
            resolve_with_error(call.reply_to, error)
        else:
            error = self._watch.after_refusal(call.work, error)
            self.refuse(call.work, self._localise(call, error.refusal))

    def refuse(self, work: TenantRequest, refusal: Refusal) -> None:
        """Send a refusal."""
        self._send_to(work, encode_refusal(work, refusal))

    def _send_to(self, work: TenantRequest, body: bytes) -> None:
        """Reply by the socket that the request came through."""
        if work.outlet is self._mailbox:
            self._send(work.peer, body)
        else:
            work.outlet.tell(Replies([(work.peer, body)]))

    def _localise(self, call: AdminCall, refusal: Refusal) -> Refusal:
        """A tenant's people are refused in their tenant's words, as on the data channel."""
        if call.about is None or call.caller.tenant is None or refusal.code == UNAUTHENTICATED:
            return refusal
        return localise(refusal, self._profiles.of(call.about.id).config)
