"""What end users are told: the tenant's words, with nothing of the tenant's text taken for a program."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.profiles import Config, deep_freeze
from actors.replies import MAX_USER_MESSAGE, localise
from transport.message import NOT_FOUND, Refusal

PLAIN = Refusal(NOT_FOUND, "there is no contact 7", retry_after_ms=5)


def config(**whitelabel: Any) -> Config:
    """A tenant's, as functions and channels have it."""
    return Config(1, whitelabel=deep_freeze(whitelabel))


def told(text: str, **whitelabel: Any) -> str | None:
    """What becomes of a text that the tenant has for the refusal's code."""
    return localise(PLAIN, config(texts={NOT_FOUND: text}, **whitelabel)).user_message


def test_a_tenant_without_config_gets_the_very_refusal() -> None:
    """The usual case costs nothing."""
    assert localise(PLAIN, Config()) is PLAIN
    assert localise(PLAIN, config(texts={"internal": "Sorry."})) is PLAIN


def test_the_text_for_the_code_becomes_the_user_message_and_all_else_stays() -> None:
    """Message, details and retry are the developer's."""
    refusal = localise(PLAIN, config(texts={NOT_FOUND: "It is not there."}))
    assert refusal == PLAIN._replace(user_message="It is not there.")


def test_what_the_refusal_says_itself_comes_first() -> None:
    """The function knew more than the code; its placeholders are filled in, too."""
    own = PLAIN._replace(user_message="{product_name} has no such contact.")
    whitelabel = config(texts={NOT_FOUND: "It is not there."}, product_name="Desk")
    assert localise(own, whitelabel).user_message == "Desk has no such contact."


def test_placeholders_are_filled_in_from_whitelabel() -> None:
    """Each by its own name."""
    text = "{product_name}: ask {support_address} or see {support_url}, {product_name}."
    assert (
        told(
            text,
            product_name="Desk",
            support_address="help@example.com",
            support_url="https://example.com/help",
        )
        == "Desk: ask help@example.com or see https://example.com/help, Desk."
    )


@pytest.mark.parametrize("whitelabel", [{}, {"product_name": None}, {"product_name": {"a": 1}}])
def test_a_value_that_is_not_there_leaves_nothing(whitelabel: dict[str, Any]) -> None:
    """Also where an index gives it another shape; end users never see braces of ours."""
    assert told("Welcome to {product_name}!", **whitelabel) == "Welcome to !"
    own = PLAIN._replace(user_message="Welcome to {product_name}!")
    assert localise(own, Config()).user_message == "Welcome to !"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{0}",
        "{logo_url}",
        "{product_name.__class__}",
        "{product_name!r}",
        "{product_name:>1000000}",
        "{{product_name",
        "%(product_name)s $product_name \\1",
        "{texts}",
    ],
)
def test_whatever_else_looks_like_a_placeholder_stays(text: str) -> None:
    """No format language: that could read attributes and fill the memory."""
    assert told(text, product_name="Desk", logo_url="https://example.com") == text


def test_a_value_that_looks_like_a_placeholder_is_not_filled_in_again() -> None:
    """Once is enough; a backslash in it is a backslash."""
    assert told("{product_name}", product_name=r"{support_url} \1", support_url="x") == (
        r"{support_url} \1"
    )


@pytest.mark.parametrize("texts", [None, "text", ["not_found"], {"not_found": 5}], ids=repr)
def test_texts_of_another_shape_are_none(texts: Any) -> None:
    """An index may state whitelabel as it likes."""
    assert localise(PLAIN, config(texts=texts)) is PLAIN


@given(st.text(st.sampled_from("{}product_namex "), max_size=50), st.integers(0, 3000))
def test_a_user_message_has_an_end(text: str, size: int) -> None:
    """However long the texts are that make it."""
    filled = told(text + "{product_name}", product_name="x" * size)
    assert filled is not None
    assert len(filled) <= MAX_USER_MESSAGE
