"""What the desk says of a ticket in a mail's head."""

from __future__ import annotations

import pytest

from actors.tenant.functions.correspondence import one_line


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # a non-joiner, as Persian has them
        "\U0001f469\u200d\U0001f469\u200d\U0001f467 box",  # a family is one sign by its joiners
        "\u0915\u094d\u200d\u0937",
        "\u05d0\u200e(1)",  # a mark of direction
        "\U0001fae9",  # newer than the tables of this Python may be
        "plain",
    ],
)
def test_a_subject_keeps_what_is_part_of_its_text(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    "sign", ["\n", "\r\n", "\0", "\x1b", "\x85", "\u2028", "\u2029", "\ud800", "\t"]
)
def test_what_would_end_or_break_a_line_is_a_space(sign: str) -> None:
    assert one_line(f" a{sign}b ") == "a b"
