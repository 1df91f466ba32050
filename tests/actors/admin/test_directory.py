"""The Directory: tenants and tokens, kept in its file and told to those who need them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from actors.actor import ask
from actors.admin.directory import (
    CreateTenant,
    Directory,
    FindTenantByName,
    IssueToken,
    RevokeToken,
    TellEverything,
)
from actors.admin.file import prepare_directory
from actors.errors import AlreadyExists, DatabaseProblem, InvalidArgument, NotFound
from actors.mailbox import Failed, Mailbox
from actors.messages import DirectoryChanged, TenantRecord
from tests.actors.house import WAIT, House, Watch


class Office:
    """A Directory, with a subscriber that hears what it tells, and files that are only noted."""

    def __init__(self, house: House, path: Path) -> None:
        self.house = house
        self.path = path
        self.made: list[str] = []
        self.trouble: Exception | None = None
        self.heard = Watch()
        self.mailbox: Mailbox = house.mailbox("directory")
        self.open()

    def open(self) -> None:
        """Let an incarnation in, and hear what it has to tell at first."""
        Directory.start(self.mailbox, self.path, self._create_file, [self.heard])
        self.at_first = self.next()

    def ask(self, message: object) -> object:
        """Ask it."""
        return ask(self.mailbox, message, WAIT)

    def next(self) -> DirectoryChanged:
        """The next thing that the subscriber hears."""
        change = self.heard.hear()
        assert isinstance(change, DirectoryChanged)
        return change

    def tenant(self, name: str = "acme") -> TenantRecord:
        """A tenant that was just made."""
        record = self.ask(CreateTenant(name))
        assert isinstance(record, TenantRecord)
        assert self.next() == DirectoryChanged(tenants=(record,))
        return record

    def token(self, tenant: str = "acme", role: str = "member") -> str:
        """A token that was just issued."""
        text = self.ask(IssueToken(tenant, role, "test"))
        assert isinstance(text, str)
        return text

    def _create_file(self, tenant_id: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.made.append(tenant_id)


@pytest.fixture
def house() -> Iterator[House]:
    """A thread for the Directory."""
    made = House()
    yield made
    made.empty()


@pytest.fixture
def office(house: House, tmp_path: Path) -> Office:
    """A Directory whose file is new."""
    path = tmp_path / "directory.db"
    prepare_directory(path)
    return Office(house, path)


def digest(text: str) -> bytes:
    """How a token is known."""
    return sha256(text.encode()).digest()


def test_at_first_there_is_nobody(office: Office) -> None:
    """Subscribers hear so as well."""
    assert office.at_first == DirectoryChanged(complete=True)
    assert office.ask(FindTenantByName("acme")) is None


def test_a_tenant_has_a_file_before_anybody_hears_of_it(office: Office) -> None:
    """Named by an id that nobody chose."""
    acme, globex = office.tenant("acme"), office.tenant("globex")
    assert office.made == [acme.id, globex.id]
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in office.made)
    assert acme.id != globex.id
    assert office.ask(FindTenantByName("acme")) == acme


def test_without_its_file_there_is_no_tenant(office: Office) -> None:
    """The name is free, and can be given to another attempt."""
    office.trouble = DatabaseProblem("the disk is full")
    with pytest.raises(DatabaseProblem, match="disk is full"):
        office.ask(CreateTenant("acme"))
    assert office.ask(FindTenantByName("acme")) is None
    office.trouble = None
    office.tenant("acme")


def test_a_name_is_given_once(office: Office) -> None:
    """The second attempt makes no file."""
    office.tenant("acme")
    with pytest.raises(AlreadyExists, match="acme"):
        office.ask(CreateTenant("acme"))
    assert len(office.made) == 1


@pytest.mark.parametrize("name", ["", "Acme", "-acme", "a b", "../x", "acme\n", "a" * 64, "größe"])
def test_a_name_that_no_request_could_carry_is_refused(office: Office, name: str) -> None:
    """In the words of the page."""
    with pytest.raises(InvalidArgument, match="a-z, 0-9 and -"):
        office.ask(CreateTenant(name))
    assert office.made == []


@pytest.mark.parametrize("name", ["a", "0", "a-", "a--b", "9-lives", "a" * 63])
def test_every_name_that_a_request_may_carry_can_be_given(office: Office, name: str) -> None:
    """Up to 63 characters."""
    assert office.tenant(name).name == name


@pytest.mark.parametrize("role", ["member", "owner", "admin owner"])
def test_a_token_stands_for_a_role_in_one_tenant(office: Office, role: str) -> None:
    """Who needs it hears its digest, and never its text."""
    office.tenant()
    text = office.token(role=role)
    (token,) = office.next().tokens
    assert token.digest == digest(text)
    assert (token.principal.tenant, token.principal.role) == ("acme", role)
    assert re.fullmatch(r"t_[0-9a-f]{16}", token.principal.id)


def test_tokens_are_long_random_and_recognisable(office: Office) -> None:
    """256 random bits behind a prefix; each for a principal of its own."""
    office.tenant()
    texts = {office.token() for _ in range(50)}
    assert len(texts) == 50
    assert all(re.fullmatch(r"tnt_[A-Za-z0-9_-]{43}", text) for text in texts)
    assert len({office.next().tokens[0].principal.id for _ in range(50)}) == 50


def test_the_text_of_a_token_is_in_no_file(office: Office) -> None:
    """Only its SHA-256."""
    office.tenant()
    text = office.token()
    files = b"".join(each.read_bytes() for each in office.path.parent.glob("directory.db*"))
    assert digest(text) in files
    assert text.encode() not in files
    assert text.removeprefix("tnt_").encode() not in files


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (IssueToken("nobody", "member", "x"), NotFound),
        (IssueToken("acme", "developer admin", "x"), InvalidArgument),
        (IssueToken("acme", "public", "x"), InvalidArgument),
        (IssueToken("acme", "Member", "x"), InvalidArgument),
        (RevokeToken("tnt_unknown"), NotFound),
        (RevokeToken(""), NotFound),
    ],
)
def test_what_cannot_be_is_refused_and_told_to_nobody(
    office: Office, message: object, error: type[Exception]
) -> None:
    """The Directory goes on."""
    office.tenant()
    with pytest.raises(error):
        office.ask(message)
    office.tenant("globex")  # the next thing that is heard


def test_a_revoked_token_is_told_and_cannot_be_revoked_again(office: Office) -> None:
    """Others of the same tenant stay good."""
    office.tenant()
    gone, kept = office.token(), office.token()
    office.next(), office.next()
    office.ask(RevokeToken(gone))
    assert office.next() == DirectoryChanged(revoked=(digest(gone),))
    with pytest.raises(NotFound):
        office.ask(RevokeToken(gone))
    later = Watch()
    office.mailbox.tell(TellEverything(later))
    assert [token.digest for token in later.hear().tokens] == [digest(kept)]


def test_who_has_just_started_is_told_everything(office: Office) -> None:
    """Tenants and good tokens, as they were told one by one."""
    tenants = {office.tenant(name) for name in ("acme", "globex", "initech")}
    texts = [office.token(name) for name in ("acme", "globex", "globex")]
    tokens = {office.next().tokens[0] for _ in texts}
    later = Watch()
    office.mailbox.tell(TellEverything(later))
    everything = later.hear()
    assert set(everything.tenants) == tenants
    assert set(everything.tokens) == tokens
    assert everything.revoked == ()


def test_the_next_incarnation_finds_everything_and_tells_it(office: Office) -> None:
    """After a message that it does not know."""
    acme = office.tenant()
    office.token()
    (token,) = office.next().tokens
    office.mailbox.tell("a message that it does not know")
    failed = office.house.watch.hear()
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, TypeError)
    office.mailbox.take(1)
    office.open()
    assert office.at_first == DirectoryChanged((acme,), (token,), complete=True)
    assert office.ask(FindTenantByName("acme")) == acme


def test_what_was_answered_is_on_disk(office: Office) -> None:
    """Another reader of the file sees it at once."""
    acme = office.tenant()
    text = office.token(role="owner")
    query = "SELECT tokens.digest, tokens.role, tokens.label, tenants.id FROM tokens JOIN tenants"
    with closing(sqlite3.connect(f"file:{office.path}?mode=ro", uri=True)) as reader:
        assert reader.execute(query).fetchall() == [(digest(text), "owner", "test", acme.id)]


def test_hostile_text_is_only_text(office: Office) -> None:
    """In a label, a name to look for, a token to revoke."""
    office.tenant()
    hostile = "'; DROP TABLE tokens; --"
    assert office.ask(FindTenantByName(hostile)) is None
    with pytest.raises(NotFound):
        office.ask(RevokeToken(hostile))
    text = office.ask(IssueToken("acme", "member", hostile))
    office.ask(RevokeToken(str(text)))
