"""Whether a tenant that was asked to leave does: one decision, made from what it is at.

The law of this file: nothing of a function that waits is lost by leaving, unless its tenant is deleted.

- To make room for others (`insist`) a tenant whose functions wait stays, so that another one goes instead. If
  there is no other (`patient`), it lets no further function wait and leaves once the last has ended, which
  deadlines bound. It answers nothing until then, so that the Supervisor does not ask on and on while
  functions wait everywhere.
- For idleness it stays if anything waits for it.
- When the server stops, it leaves once all have ended.
- Functions of a deleted tenant are cancelled before (`cancel`).

Deliveries that connectors work on count like functions, but a `patient` request, or the end of the server's
patience, does not wait for their answers: they are sent again with the same key.
"""

from __future__ import annotations

from enum import Enum, auto

from actors.messages import Passivate


class Decision(Enum):
    """What the tenant does about it."""

    STAY = auto()
    """It declines."""
    LEAVE = auto()
    """It stops now."""
    DRAIN = auto()
    """It lets in nothing that may wait, and decides again when something has ended."""
    ASK_AGAIN = auto()
    """Nothing waits any more: it serves its mail and is asked once more behind that."""


def decide(
    asked: Passivate, *, has_mail: bool, waits: bool, delivers: bool, is_closing: bool
) -> Decision:
    """Decide when the request arrives.

    `waits`: functions are suspended. `delivers`: connectors work on deliveries. `is_closing`: the server
    stops.
    """
    if has_mail and not asked.insist:
        return Decision.STAY
    if asked.cancel or (not waits and (asked.patient or not delivers)):
        return Decision.LEAVE
    return Decision.DRAIN if is_closing or asked.patient else Decision.STAY


def decide_again(asked: Passivate, *, waits: bool, delivers: bool, is_over: bool) -> Decision:
    """Decide while it drains, when something has ended; `is_over`: the server's patience has."""
    if waits or (delivers and not asked.patient and not is_over):
        return Decision.DRAIN
    return Decision.LEAVE if asked.insist or delivers else Decision.ASK_AGAIN
