"""What a client checks before it sends: the same as the server's model, which is seldom asked."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from transport.message import Problem
from transport.request.model import Request, problems_of
from transport.request.outgoing import problems_with

RIGHT: dict[str, Any] = {
    "id": "r-1",
    "tenant": "acme",
    "action": "contacts.add",
    "params": {"name": "Ada"},
    "token": "t",
}


class Text(str):
    """Text of a caller's own type."""


def with_model(fields: dict[str, Any]) -> list[Problem]:
    """What the model says."""
    try:
        Request.model_validate(fields)
    except ValidationError as error:
        return problems_of(error)
    return []


ids = st.text(st.characters(max_codepoint=300), max_size=66) | st.integers()
tenants = st.none() | st.from_regex(r"[a-zA-Z0-9-]{0,65}\n?", fullmatch=True) | st.booleans()
actions = st.from_regex(r"[a-zA-Z0-9_.]{0,130}\n?", fullmatch=True) | st.none()
params = st.dictionaries(st.text(max_size=3) | st.integers(), st.none(), max_size=3) | st.lists(
    st.integers()
)
tokens = st.none() | st.text(min_size=510, max_size=514) | st.text(max_size=3) | st.binary()


@given(
    st.fixed_dictionaries(
        {"id": ids, "tenant": tenants, "action": actions, "params": params, "token": tokens}
    )
)
@example({**RIGHT, "id": "~" * 64})
@example({**RIGHT, "id": "~" * 65})
@example({**RIGHT, "id": ""})
@example({**RIGHT, "id": "r\x7f"})
@example({**RIGHT, "tenant": "a" * 64})
@example({**RIGHT, "tenant": "acme\n"})
@example({**RIGHT, "action": "a" * 129})
@example({**RIGHT, "action": "contacts.add\n"})
@example({**RIGHT, "action": Text("contacts.add"), "id": Text("r-1")})
@example({**RIGHT, "params": {1: 2}})
@example({**RIGHT, "token": "t" * 513})
def test_the_problems_are_those_that_the_model_finds(fields: dict[str, Any]) -> None:
    assert problems_with(fields) == with_model(fields)


@pytest.mark.parametrize("field", RIGHT)
def test_each_field_that_is_wrong_is_named(field: str) -> None:
    [problem] = problems_with({**RIGHT, field: 1.5})
    assert problem.field == field


def test_a_call_imports_neither_pydantic_nor_asyncio() -> None:
    """It took longer to import them than to make the call."""
    code = (
        "import sys\n"
        "from transport.client import Client\n"
        "from transport.errors import NoAnswer\n"
        "with Client('tcp://127.0.0.1:9', tenant='acme', token='t', timeout=0) as client:\n"
        "    try:\n"
        "        client.call('contacts.find', {'text': 'ada'})\n"
        "    except NoAnswer:\n"
        "        print({'pydantic', 'pydantic_core', 'msgspec', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
