"""Finding contacts by a person's text."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.errors import InvalidArgument
from actors.tenant.functions.search import query
from tests.actors.tenant.functions.desk import FUNCTIONS, HOSTILE, Desk, open_desk
from tests.raw_client import Map


def names(desk: Desk, text: str | None = None, **params: Any) -> list[str]:
    """Who is found."""
    params |= {} if text is None else {"text": text}
    return [contact["name"] for contact in desk("contacts.find", **params)["contacts"]]


@pytest.fixture
def people(desk: Desk) -> Desk:
    """A few, of many alphabets."""
    for name, email, company in (
        ("Ada Lovelace", "ada@analytical.example", "Analytical Engines"),
        ("Conan O'Brien", "conan@late-night.example", None),
        ("José Núñez", None, "Faro Ediciones"),
        ("Ольга Ладыженская", None, None),
        ("李明", None, "黄河科技"),
        ("Adaeze Okafor", None, "Lagoon Logistics"),
    ):
        given_ = {"name": name, "email": email, "company": company}
        desk("contacts.add", **{field: text for field, text in given_.items() if text})
    return desk


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada", ["Ada Lovelace", "Adaeze Okafor"]),
        ("ADA love", ["Ada Lovelace"]),
        ("love ada", []),
        ("lovelace ada", ["Ada Lovelace"]),
        ("engines ada", ["Ada Lovelace"]),
        ("o'brien", ["Conan O'Brien"]),
        ("brien", ["Conan O'Brien"]),
        ("conan@late-n", ["Conan O'Brien"]),
        ("jose nun", ["José Núñez"]),
        ("NÚÑEZ", ["José Núñez"]),
        ("ладыж", ["Ольга Ладыженская"]),
        ("李", ["李明"]),
        ("黄河", ["李明"]),
        ("nobody", []),
        ("ada *** love", ["Ada Lovelace"]),
        ("ada AND love", []),
        ("name:ada", []),
    ],
)
def test_every_word_has_to_occur_and_the_last_may_be_a_beginning(
    people: Desk, text: str, found: list[str]
) -> None:
    """In name, email or company, whatever the case and the accents."""
    assert names(people, text) == found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Straße Verlag", "STRASSE"),
        ("Οδυσσεύς", "ΟΔΥΣΣΕΥΣ"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσεύς"),
        ("Łukasz Wójcik", "lukasz"),
        ("Søren Ærø", "soren aero"),
        ("Đỗ Văn Minh", "do van"),
        ("Þórður Sigurðsson", "thordur sigurdsson"),
        ("İpek Işık", "ipek isik"),
        ("Ｔａｎａｋａ", "tanaka"),
        ("ﬁne oﬃce", "fine office"),
        ("מְנַחֵם", "מנחם"),
        ("مُحَمَّد", "محمد"),
        ("أحمد", "احمد"),
        ("हिन्दी", "हिन्दी"),
        ("한글", unicodedata.normalize("NFD", "한글")),
        (unicodedata.normalize("NFD", "Zoë Ngữ"), "zoë ngữ"),
        ("Ki\u00adto", "kito"),
        ("\u200fשלום\u200f", "שלום"),
        ("Ёлкин", "елкин"),
        ("Қайрат", "кайрат"),
    ],
)
def test_letters_are_found_by_what_people_type_for_them(desk: Desk, name: str, text: str) -> None:
    """And text in any composition, by itself and by the other."""
    desk("contacts.add", name="Somebody Else")
    desk("contacts.add", name=name)

    for asked in (text, name, text.upper(), unicodedata.normalize("NFD", name)):
        assert names(desk, asked) == [name]


def test_vowels_and_what_stands_in_another_field_are_told_apart(desk: Desk) -> None:
    """Vowel signs are no accents, and a phrase does not run from the name into the address."""
    desk("contacts.add", name="दिन", email="brien@example.com", company="O")

    assert names(desk, "दान") == names(desk, "दिन-brien") == names(desk, "com/o") == []
    assert names(desk, "दि") == ["दिन"]


@pytest.mark.parametrize("text", [None, "", " ", "\t\n\u2003"])
def test_without_words_all_are_listed_by_id(people: Desk, text: str | None) -> None:
    """An empty search box shows the address book."""
    assert len(names(people, text)) == 6


@pytest.mark.parametrize("text", ["*", '"', "***", "'--", "()", "🙂", "\u202e", '" " "'])
def test_a_text_of_punctuation_alone_finds_nothing(people: Desk, text: str) -> None:
    """It asks for no word, and is no error."""
    assert names(people, text) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_written_into_a_name_is_found_by_it(desk: Desk, text: str) -> None:
    """No text is FTS5 syntax, and none raises."""
    desk("contacts.add", name="Somebody else")
    desk("contacts.add", name=f"n {text}")

    assert names(desk, f"n {text}") == [f"n {text}"]


def test_the_index_follows_updates_and_removals(people: Desk) -> None:
    """Old words find nothing any more, new ones do."""
    people("contacts.update", id=1, name="Augusta King", email=None)
    people("contacts.remove", id=3)

    assert names(people, "lovelace") == names(people, "jose") == []
    assert names(people, "augusta") == names(people, "analytical") == ["Augusta King"]
    people.check_search_index()


def test_a_page_ends_with_the_way_to_the_next(desk: Desk) -> None:
    """Twenty by default; the last page has none."""
    for number in range(21):
        desk("contacts.add", name=f"Person {number}")

    sizes = [len(page["contacts"]) for page in desk.pages("contacts.find", text="pers")]
    assert sizes == [20, 1]
    assert [len(page["contacts"]) for page in desk.pages("contacts.find", limit=7)] == [7, 7, 7]


@pytest.mark.parametrize("limit", [0, -1, 101, "20", None])
def test_a_page_has_1_to_100_rows(desk: Desk, limit: object) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidArgument):
        desk("contacts.find", limit=limit)


def test_the_search_reads_its_page_and_no_more(people: Desk) -> None:
    """The plan has no sorting step: FTS5 delivers in the order of ids."""
    people("contacts.find", text="ada")

    assert "TEMP B-TREE" not in people.plan()


# A model of the search, for text whose words are easily told: FTS5's unicode61 on ASCII and é.

LETTERS = st.text(alphabet="abAé ", max_size=6)
NEAR = st.text(alphabet="abé-", max_size=4)
ANY_TEXT = st.text(alphabet="abé \"'*:^()-+{}NOTAND—", max_size=12)


def words(text: str) -> list[str]:
    """Words as unicode61 with remove_diacritics sees them."""
    plain = unicodedata.normalize("NFD", text.casefold()).replace("\u0301", "")
    return re.findall("[a-z]+", plain)


def holds(text: str, phrase: list[str], *, prefix: bool) -> bool:
    """Whether the words of a phrase stand side by side in a text."""
    have = words(text)
    for start in range(len(have) - len(phrase) + 1):
        part = have[start : start + len(phrase)]
        same = part[:-1] == phrase[:-1] and (
            part[-1].startswith(phrase[-1]) if prefix else part[-1] == phrase[-1]
        )
        if same:
            return True
    return False


def expected(fields: tuple[str, str], text: str) -> bool:
    """Whether a contact with these fields should be found."""
    parts = text.split()
    if not parts:
        return True
    phrases = [(words(part), at == len(parts) - 1) for at, part in enumerate(parts)]
    asked = [(phrase, last) for phrase, last in phrases if phrase]
    return bool(asked) and all(
        any(holds(field, phrase, prefix=last) for field in fields) for phrase, last in asked
    )


@given(
    contacts=st.lists(st.tuples(LETTERS.map("n{}".format), LETTERS.map("c{}".format)), max_size=6),
    text=ANY_TEXT,
)
def test_search_agrees_with_a_model(
    empty_file: Path, contacts: list[tuple[str, str]], text: str
) -> None:
    """For any contacts and any text."""
    with open_desk(empty_file) as desk:
        for name, company in contacts:
            desk("contacts.add", name=name, company=company)
        assert names(desk, text) == [each[0] for each in contacts if expected(each, text)]


@given(text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=200))
def test_no_text_makes_the_search_fail(empty_file: Path, text: str) -> None:
    """Whatever a person types."""
    with open_desk(empty_file) as desk:
        desk("contacts.add", name=f"n{text}"[:200])
        desk("contacts.find", text=text)
        desk.check_search_index()


@pytest.fixture
def looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a tenant with many contacts: pages are looked for among the next ones first."""
    search = FUNCTIONS["contacts.find"].module
    monkeypatch.setattr(search, "MANY", 0)
    monkeypatch.setattr(search, "NEXT", (2, 5))


@pytest.mark.usefixtures("looked_through")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contacts=st.lists(st.tuples(NEAR, NEAR), max_size=9),
    text=st.text(alphabet="ab é", max_size=4),
    limit=st.integers(1, 3),
)
def test_what_is_found_nearby_is_what_the_index_finds(
    empty_file: Path, contacts: list[tuple[str, str]], text: str, limit: int
) -> None:
    """Page by page, in the order of ids, with nothing in a contact that callers are not promised."""
    with open_desk(empty_file) as desk:
        for number, (name, company) in enumerate(contacts):
            desk("contacts.add", name=f"{number} {name}", company=f"c{company}")
        for number in range(0, len(contacts), 4):
            desk("contacts.remove", id=number + 1)
        kept = [each for at, each in enumerate(contacts) if at % 4]
        found: list[Map] = []
        page: Map = {"next": None}
        while not found or page["next"]:
            after = {"after": page["next"]} if page["next"] else {}
            page = desk("contacts.find", text=text, limit=limit, **after)
            assert len(page["contacts"]) <= limit
            found += page["contacts"] or [{}]
        found = [each for each in found if each]
        fields = {"id", "name", "email", "phone", "company", "created_at", "updated_at"}
        assert all(each.keys() == fields for each in found)
        wanted = [each for each in kept if expected((each[0], f"c{each[1]}"), text)]
        assert [each["name"].partition(" ")[2] for each in found] == [each[0] for each in wanted]


@pytest.mark.usefixtures("looked_through")
@pytest.mark.parametrize("text", ["ada", "ada love"])
def test_a_page_that_is_found_nearby_costs_no_walk_through_the_index(desk: Desk, text: str) -> None:
    """FTS5 is not asked for a beginning, for which it would gather all contacts first."""
    for number in range(4):
        desk("contacts.add", name=f"Ada Lovelace {number}")
    assert names(desk, text, limit=1) == ["Ada Lovelace 0"]
    asked = [binds["query"] for _, binds in desk._ran if binds and "query" in binds]
    assert not any(query.endswith("*") for query in asked)
    assert "TEMP B-TREE" not in desk.plan()


def test_a_hundred_words_are_searched(desk: Desk) -> None:
    """As many as fit into the longest text."""
    text = " ".join("a" * 100)[:200]
    desk("contacts.add", name=text)

    assert names(desk, text) == [text]
    assert query(text).count('"a"') == 100
