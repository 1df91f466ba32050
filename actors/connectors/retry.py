"""How long a service asks to be left alone: the Retry-After header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST = 24 * 3600.0
"""Seconds: who asks for more is asked again after a day."""

MOST_DIGITS = 9


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds from now, from either form of the header; None where there is none that can be read."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:MOST_DIGITS]), LONGEST)
    try:
        date = parsedate_to_datetime(text)
        at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(at - now, 0.0), LONGEST)
