"""The outbox as a turn has it: what its functions have sent is put there, and somebody has to see to it."""

from __future__ import annotations

import time

from actors.messages import Work
from actors.tenant.marker import Marker
from actors.tenant.outbox_table import OutboxTable
from actors.tenant.sends import Sends


class Outbox:
    """One tenant's, for as long as it is resident. For its turn alone."""

    __slots__ = ("is_stirred", "marker")

    def __init__(self, marker: Marker) -> None:
        self.marker = marker
        self.is_stirred = False
        """True once something was put there that nobody has looked at after its commit."""

    def put(self, table: OutboxTable, sends: Sends, work: Work) -> None:
        """In the transaction of the function that has sent it; the marker is on disk before."""
        sent = sends.take()
        if sent:
            self.marker.make()
            table.put(sent, work.principal.id, work.trace_id, time.time())
            self.is_stirred = True
