"""What every tenant of a server works with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from actors.log.lines import RequestLogClient
from actors.profiles import EMPTY, Profiles
from actors.registry.shared import MailboxesByName
from actors.registry.snapshot import RoutingSnapshot
from actors.runtime.mailbox import Mailbox
from actors.runtime.scheduler import ComputeToken
from actors.tenant.storage.files import Storage

NO_PROFILES: Final = Profiles()
"""Every tenant is as the server's settings have it."""


class TenantResources(NamedTuple):
    """What a tenant is given at its start, beside its mailbox and its record."""

    storage: Storage
    snapshot: RoutingSnapshot
    profiles: Profiles = NO_PROFILES
    connectors: MailboxesByName = EMPTY
    """The mailboxes for CallConnector, by name."""
    clock: Mailbox | None = None
    """Without it no function that waits is ever overdue."""
    monitor: Mailbox | None = None
    """The IntentMonitor's mailbox."""
    request_log: RequestLogClient | None = None
    """Gets a line for each request that was answered; None disables it."""
    compute: ComputeToken | None = None
    """Released before a turn waits for the disk, and offered between two requests."""
    now: Callable[[], float] = time.time
    """Returns the seconds since the epoch, for functions."""
