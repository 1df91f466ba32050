"""Receipts: stored results of commands. A command that is sent again has its effect once."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, delete, insert, select

from actors.admin.directory import config_history
from actors.admin.directory.repository import DirectoryTransaction, Result
from actors.admin.directory.tables import receipts
from actors.errors import AlreadyExists, id_reused
from actors.messages import Receipt

KEPT_SECONDS = 24 * 3600.0
"""Seconds that a receipt is valid: as long as tenants keep replies (docs/message-api.md, promise 2)."""

MAX_RESULT = 4096
"""Characters of a stored result as JSON. Longer ones would let one caller fill the disk with receipts."""


def find_result(transaction: DirectoryTransaction, receipt: Receipt | None) -> Result | None:
    """Return the stored result of the command, or None if it was not executed before.

    Raise InvalidArgument if the id was used for another request, and AlreadyExists if the command was
    executed and its result is not stored.
    """
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
        raise id_reused(receipt.id)
    return _result(transaction, row)


def _result(transaction: DirectoryTransaction, row: Row[Any]) -> Result:
    if row.revision is not None:
        return config_history.reapply(transaction, row.tenant_id, row.revision)
    if row.token_id is not None:
        raise AlreadyExists(
            f"this request has already issued token {row.token_id}, and a token's text is shown "
            "once: revoke it and issue another"
        )
    if row.result is None:
        raise AlreadyExists(
            "this request was already executed, and its result was too long to be stored: "
            "read the current state instead"
        )
    result: Result = json.loads(row.result)
    return result


def store_result(
    transaction: DirectoryTransaction, receipt: Receipt | None, result: Result
) -> None:
    """Store the result in the transaction of its command.

    Neither a token's text is stored, nor a long result, nor a config that has its own table. The digest is
    stored as a MAC: a weak password could be guessed from the plain digest of the command that set it.
    """
    if receipt is None:
        return
    mine = (receipts.c.caller == receipt.caller) & (receipts.c.id == receipt.id)
    transaction.run(delete(receipts).where(mine))  # an expired one that is not purged yet
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
    """Delete expired receipts."""
    transaction.run(delete(receipts).where(receipts.c.at < transaction.age - KEPT_SECONDS))
