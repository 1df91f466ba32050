"""Receipts: what an order answered, so that it has its effect once however often it is sent."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, delete, insert, select

from actors.admin.directory import config_history
from actors.admin.directory.repository import DirectoryTransaction, Result
from actors.admin.directory.tables import receipts
from actors.errors import AlreadyExists, InvalidArgument
from actors.messages import Receipt

KEPT_SECONDS = 24 * 3600.0
"""As tenants keep replies (docs/message-api.md, promise 2)."""

MAX_RESULT = 4096
"""Characters of a result as JSON: what is longer would let one caller fill the disk with receipts."""


def find_result(transaction: DirectoryTransaction, receipt: Receipt | None) -> Result | None:
    """The first result, where the order was given before; None where it was not."""
    if receipt is None:
        return None
    row = transaction.one(
        select(receipts).where(
            receipts.c.caller.in_((receipt.caller, receipt.token or receipt.caller)),
            receipts.c.id == receipt.id,
            receipts.c.at >= transaction.age - KEPT_SECONDS,
        )
    )
    if row is None:
        return None
    if row.digest not in transaction.keyring.macs(receipt.digest):
        raise InvalidArgument(
            f"id {receipt.id!r} was used for another request within 24 h; "
            "a request with different content needs an id of its own"
        )
    return _result(transaction, row)


def _result(transaction: DirectoryTransaction, row: Row[Any]) -> Result:
    if row.revision is not None:
        return config_history.reapply(transaction, row.tenant_id, row.revision)
    if row.token_id is not None:
        raise AlreadyExists(
            f"this request made token {row.token_id} when it first came, and a token's text is shown "
            "once: revoke it and issue another"
        )
    if row.result is None:
        raise AlreadyExists(
            "this request was done when it first came, and what it answered was too long to be kept: "
            "look at how things are now"
        )
    result: Result = json.loads(row.result)
    return result


def store_result(
    transaction: DirectoryTransaction, receipt: Receipt | None, result: Result
) -> None:
    """In the transaction that did it; never a token's text, nor what is long or stands elsewhere.

    Nor the digest as it came: a weak password could be guessed from that of the order that set it.
    """
    if receipt is None:
        return
    mine = (receipts.c.caller == receipt.caller) & (receipts.c.id == receipt.id)
    transaction.run(delete(receipts).where(mine))  # one that was forgotten and not yet swept
    tenant_id, revision = transaction.revision or (None, None)
    transaction.run(
        insert(receipts).values(
            caller=receipt.caller,
            id=receipt.id,
            digest=transaction.keyring.macs(receipt.digest)[0],
            at=transaction.age,
            result=None if transaction.secret or transaction.revision else _text(result),
            token_id=transaction.secret,
            tenant_id=tenant_id,
            revision=revision,
        )
    )


def _text(result: Result) -> str | None:
    text = json.dumps(result, ensure_ascii=False)
    return text if len(text) <= MAX_RESULT else None


def expire(transaction: DirectoryTransaction) -> None:
    """Those that no longer count."""
    transaction.run(delete(receipts).where(receipts.c.at < transaction.age - KEPT_SECONDS))
