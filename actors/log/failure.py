"""What the program's log says of an actor that failed: whose it was, and nothing that a request held."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import structlog

from actors.log.events import Confidential
from actors.messages import DeadLetter, TenantRecord, Work
from actors.runtime.mailbox import Killer

log = structlog.get_logger()


def tell_failure(
    actor: str, tenant: TenantRecord | None, culprit: Killer | None, error: BaseException
) -> None:
    """`culprit` is the message that was being handled, None where it was none."""
    log.error(
        "actor failed",
        **_whose(actor, tenant),
        culprit=culprit and f"{type(culprit.message).__name__}, death {culprit.deaths}",
        exc_info=error,
        confidential=_asked_by(culprit),
    )


def tell_giving_up(actor: str, tenant: TenantRecord | None, seconds: float) -> None:
    """It is not started for so long; the line says until when, too."""
    until = datetime.fromtimestamp(time.time() + seconds, UTC).isoformat(timespec="seconds")
    log.error("actor given up for a while", **_whose(actor, tenant), seconds=seconds, until=until)


def _whose(actor: str, tenant: TenantRecord | None) -> dict[str, Any]:
    if tenant is None:
        return {"actor": actor}
    return {"actor": actor, "tenant": tenant.name, "tenant_id": tenant.id}


def _asked_by(culprit: Killer | None) -> Confidential | None:
    """The request in the message, which the error may quote."""
    message = culprit and culprit.message
    work = message.work if isinstance(message, DeadLetter) else message
    return Confidential(work.request.params, None) if isinstance(work, Work) else None
