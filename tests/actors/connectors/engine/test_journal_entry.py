"""What the journal keeps of a call: nothing secret, in whichever form it turns up."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.engine.journal_entry import CallRedactor, encode_json
from actors.log.redaction import SECRET

LINK: dict[str, Any] = {"properties": {"url": {"type": "string", "format": "password"}}}


def test_a_secret_that_holds_another_is_taken_out_whole() -> None:
    """A signed link names the key that it was signed with."""
    url = "https://files.example/a?credential=AKACME&signature=0123456789abcdef"
    redactor = CallRedactor({"access_key": "AKACME"}, {"properties": {"access_key": {}}})
    response, result = redactor.redact_forms(({"url": url}, {"url": url}), (None, LINK))
    assert response == result == {"url": SECRET}


@given(
    st.lists(st.text("abc-", min_size=4, max_size=12), min_size=1, max_size=5),
    st.permutations(range(3)),
)
def test_no_secret_of_the_settings_is_in_any_form(secrets: list[str], order: list[int]) -> None:
    """However they overlap, and wherever they stand; settings that no schema describes are all secret."""
    settings = {f"s{number}": secret for number, secret in enumerate(secrets)}
    texts = [secrets[0], f"x{secrets[-1]}y", "z".join(secrets)]
    forms = tuple({"text": texts[each]} for each in order)
    redactor = CallRedactor(settings, {})
    shown = encode_json(redactor.redact_forms(forms, (None, None, None)))
    assert not any(secret in shown for secret in secrets)
    assert not any(secret in redactor.redact_text(texts[2]) for secret in secrets)
