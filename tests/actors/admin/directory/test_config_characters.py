"""Names, addresses, labels and reasons show as they are: nothing in them acts on a terminal or a reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.admin.directory.config import control_characters
from actors.admin.messages import (
    AddDeveloper,
    AddMember,
    ChangeMember,
    CreateTenant,
    DeleteTenant,
    GrantSuper,
    IssueToken,
    ListMembers,
    SuspendTenant,
)
from actors.errors import InvalidArgument
from tests.actors.admin.directory_harness import DirectoryHarness

FIELDS: dict[str, Callable[[str, str], Any]] = {
    "params.owner.name": lambda text, _: CreateTenant("globex", text, None, token=False),
    "params.owner.email": lambda text, _: CreateTenant("globex", "Ada", text, token=False),
    "params.name": lambda text, _: AddMember("acme", text, None),
    "params.email": lambda text, _: AddMember("acme", "Joan", text),
    "params.label": lambda text, ada: IssueToken("acme", ada, text, None, None),
    "params.reason": lambda text, _: SuspendTenant("acme", text),
}
"""What each text's command is, by the name that its request gives it."""

OTHERS: list[tuple[str, Callable[[str, str], Any]]] = [
    ("params.name", lambda text, _: CreateTenant(text, "Ada", None, token=False)),
    ("params.name", lambda text, ada: ChangeMember("acme", ada, text, None)),
    ("params.email", lambda text, ada: ChangeMember("acme", ada, None, text)),
    ("params.name", lambda text, _: AddDeveloper(text, None, "developer")),
    ("params.reason", lambda text, _: DeleteTenant("acme", 30, text)),
    ("params.reason", lambda text, ada: GrantSuper("acme", ada, 60, text)),
]

HOSTILE = [
    "a\x1b[2Jb",
    "a\nb",
    "ab\n",
    "a\tb",
    "a\x00b",
    "a\x9bb",
    "a\u2028b",
    "a\u202eb",
    "a\u2066b",
]


@pytest.mark.parametrize(("field", "command"), [*FIELDS.items(), *OTHERS])
def test_each_text_of_a_command_is_looked_at(
    directory: DirectoryHarness, field: str, command: Callable[[str, str], Any]
) -> None:
    """The refusal names the field as the request has it, never its text; nothing is done."""
    ada = directory.tenant().person
    before = directory.ask(ListMembers("acme", "", 50))
    for text in HOSTILE:
        error = directory.refusal(command(text, ada))
        assert isinstance(error, InvalidArgument)
        assert [each.field for each in error.refusal.details] == [field]
        assert str(error).startswith(f"{field} holds a c")
        assert text not in str(error)
    assert directory.ask(ListMembers("acme", "", 50)) == before


@pytest.mark.parametrize("name", ["Zoë O’Hara-Ünal", "山田 太郎", "אדה", "عائشة", "👩‍💻 Ada"])
def test_people_are_called_what_they_are_called(directory: DirectoryHarness, name: str) -> None:
    """In any script, from right to left as well."""
    directory.tenant()
    assert directory.execute(AddMember("acme", name, None))["member"]["name"] == name


def test_texts_of_several_lines_may_be_laid_out() -> None:
    """Where they are for that, as those of whitelabel."""
    assert control_characters("a\n\tb", "\n\t") is None
    assert "only line breaks" in str(control_characters("a\r\nb", "\n\t"))
    assert "line breaks" in str(control_characters("a\nb"))
