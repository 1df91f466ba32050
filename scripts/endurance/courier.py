"""The server with a connector `post`, which takes parcels to the peer of a trial; waits are short.

python -m scripts.endurance.courier --peer=PORT [what `python -m actors` takes]
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from actors import __main__ as server
from actors.actor import Actor
from actors.errors import Unavailable
from actors.future import settle, settle_with_error
from actors.mailbox import Mailbox
from actors.messages import Operate
from actors.system import System
from actors.tenant import flight

FIRST_WAIT: Final = 0.05
"""Seconds after the first attempt that failed: a trial has no two days."""

PATIENCE: Final = 5.0
"""Seconds for one call of the peer."""


class Courier(Actor):
    """Takes Operate as every connector does; one call at a time, on a thread of its own."""

    def __init__(self, mailbox: Mailbox, port: int) -> None:
        super().__init__(mailbox)
        self._peer = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def on_receive(self, message: Any) -> None:
        """Operate, answered once."""
        if not isinstance(message, Operate):
            raise TypeError(f"the Courier takes Operate, not {type(message).__name__}")
        if message.deadline < time.monotonic():
            return  # nobody waits for it
        try:
            settle(message.reply_to, {"receipt": self._delivered(message)})
        except (OSError, http.client.HTTPException, Unavailable) as error:
            self._peer.close()
            settle_with_error(message.reply_to, Unavailable(f"the peer: {error!r}"))

    def _delivered(self, message: Operate) -> str:
        call = {"key": message.key, "tenant": message.tenant.name, **message.params}
        self._peer.request("POST", "/", json.dumps(call))
        with self._peer.getresponse() as response:
            receipt = response.read().decode()
            if response.status != http.client.OK:
                raise Unavailable(f"status {response.status}")
        return receipt


def with_courier(port: int) -> type[System]:
    """A System whose tenants can send to that peer."""

    class WithCourier(System):
        def _supervise(
            self, name: str, mailbox: Mailbox, start: Callable[[Mailbox], object]
        ) -> None:
            """Beside the timer, and so before any tenant is woken."""
            super()._supervise(name, mailbox, start)
            if name == "timer":
                courier = self._mailbox("courier", self.supervisor)
                self.connectors.connect("post", courier)
                super()._supervise("courier", courier, lambda box: Courier.start(box, port))

    return WithCourier


def main() -> int:
    """As `python -m actors`; the exit status."""
    peer, *arguments = sorted(sys.argv[1:], key=lambda each: not each.startswith("--peer="))
    server.System = with_courier(int(peer.removeprefix("--peer=")))  # type: ignore[attr-defined]  # a trial's own
    flight.FIRST_WAIT = FIRST_WAIT  # type: ignore[misc]  # as above
    return server.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
