"""How a line of the console may end, besides the statuses of scripts/call."""

DONE, UNCONFIRMED, CHANGED, INTERRUPTED = 0, 4, 5, 130
"""Done; not confirmed; changed since it was shown; ended by Ctrl-C."""


class Exit(Exception):
    """The person wants to leave."""
