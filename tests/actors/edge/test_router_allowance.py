"""What the Router does before it looks into a message: it counts, and turns away who had too much refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from actors.edge.allowance import MAX_REFUSALS
from actors.settings import UNLIMITED, Rates
from tests.actors.router_harness import ACME, GLOBEX, Reception, slow_clock, token
from tests.raw_client import Encoding, Map, RawClient
from transport.frames import HEAVY_BYTES

MARK: Map = {"tenant": "acme", "token": "ann", "action": "marks.add"}
"""Of a member of acme."""

OTHER: Map = {"tenant": "globex", "token": "gus", "action": "marks.add"}
"""Of a member of globex."""

ENCODINGS = pytest.mark.parametrize("encoding", ["msgpack", "json"])

HEAVY: Map = {"rows": ["x" * HEAVY_BYTES, *range(1001)]}
"""Params that are refused once they are read: an array may have 1,000 elements."""

SOON_SPENT = Rates(refused_ms=1e-6)
"""So little that one refusal takes it all for longer than a test lasts."""


@contextmanager
def served(rates: Rates) -> Iterator[tuple[Reception, RawClient]]:
    """Both tenants are awake, where ann is of acme and gus of globex."""
    reception = Reception(rates=rates)
    try:
        reception.knows(token("ann"), token("gus", tenant="globex"))
        with reception.raw_client() as raw_client:
            for fields, tenant in ((MARK, ACME), (OTHER, GLOBEX)):
                raw_client.post(**fields)
                reception.guest(tenant)
                assert raw_client.receive()["ok"]
            yield reception, raw_client
    finally:
        reception.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anyone who owes time is answered, however much it is."""
    monkeypatch.setattr("actors.edge.allowance.PATIENCE", float("inf"))


def code(reply: Map) -> str:
    """`ok`, or why not."""
    return "ok" if reply["ok"] else str(reply["error"]["code"])


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "no.such_action"},
        {"action": "owners.only"},
        {"action": "members.list"},
        {"action": "system.describe"},
        {"action": "system.describe", "params": {"no": "such"}},
        {"action": "system.no_such"},
        {"tenant": "globex"},
    ],
)
def test_a_request_counts_whatever_becomes_of_it(fields: Map) -> None:
    """Nothing is looked up for one that comes past the limit."""
    with served(UNLIMITED) as (reception, raw_client):
        reception.limit(ACME, requests_per_second=1e-3, burst=2)
        codes = [code(raw_client.ask(**{**MARK, **fields})) for _ in range(3)]
        assert codes[0] == codes[1] != "resource_exhausted"
        assert codes[2] == "resource_exhausted"
        assert code(raw_client.ask(**OTHER)) == "ok"


@pytest.mark.parametrize(
    ("rates", "who"),
    [
        (Rates(token=2.0), "this token"),
        (Rates(connection=4.0), "this connection"),
        (Rates(tenant=2.0), "tenant acme"),
    ],
)
def test_a_rate_holds_where_nobody_has_set_one(rates: Rates, who: str) -> None:
    """Its refusal says whose it is, and when to come again."""
    with served(rates) as (_, raw_client):
        sent = [raw_client.post(**MARK) for _ in range(10)]
        replies = raw_client.replies(10)
        refused = [replies[id_]["error"] for id_ in sent if not replies[id_]["ok"]]
        assert {each["code"] for each in refused} == {"resource_exhausted"}
        assert refused[0]["message"].startswith(who)
        assert 1 <= refused[0]["retry_after_ms"] <= 1000


def test_a_tenants_own_limit_replaces_the_usual_rate() -> None:
    with served(Rates(tenant=1e-3 + 1.0)) as (reception, raw_client):
        reception.limit(ACME, requests_per_second=1000.0, burst=1000)
        assert {code(raw_client.ask(**MARK)) for _ in range(20)} == {"ok"}


# ---------------------------------------------------------------- what is refused


@ENCODINGS
@pytest.mark.usefixtures("patient")
def test_strangers_who_had_too_much_refused_are_turned_away_and_no_other(
    encoding: Encoding,
) -> None:
    """All of them together, for they may have many connections; under their ids, with a time to wait."""
    with served(SOON_SPENT) as (reception, raw_client):
        assert (
            code(raw_client.ask(encoding, action="marks.add", token="nobody's"))
            == "unauthenticated"
        )
        with reception.raw_client() as another:
            reply = another.ask(encoding, action="system.ping")
            assert code(reply) == "resource_exhausted"
            assert "without a valid token" in reply["error"]["message"]
            assert reply["error"]["retry_after_ms"] > 1
            assert code(another.ask(encoding, **MARK)) == "ok"
            assert code(raw_client.ask(encoding, **OTHER)) == "ok"


REFUSED: list[Callable[[RawClient], Any]] = [
    lambda raw_client: raw_client.ask(**{**MARK, "action": "no.such_action"}),
    lambda raw_client: raw_client.ask(**{**MARK, "no_such_field": 1}),
    lambda raw_client: raw_client.ask(**{**MARK, "params": HEAVY}),
]


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.usefixtures("patient")
def test_a_tenants_callers_who_had_too_much_refused_are_turned_away_and_no_other(
    refused: Callable[[RawClient], Any],
) -> None:
    """A misspelt name costs more than a request that is served: its nearest names are looked for."""
    with served(SOON_SPENT) as (_, raw_client):
        assert code(refused(raw_client)) in ("not_found", "invalid_argument")
        reply = raw_client.ask(**MARK)
        assert code(reply) == "resource_exhausted"
        assert "the callers of acme" in reply["error"]["message"]
        assert code(raw_client.ask(**OTHER)) == "ok"
        assert code(raw_client.ask(action="system.ping")) == "ok"


def test_who_goes_on_and_on_is_not_answered_any_more() -> None:
    """To refuse takes time, too."""
    with served(SOON_SPENT) as (_, raw_client):
        raw_client.ask(action="marks.add")
        before = raw_client.post(action="system.ping")
        assert raw_client.ask(**MARK)["id"] != before


@pytest.mark.usefixtures("patient")
def test_of_many_messages_of_strangers_in_one_turn_few_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tenant's callers all are, in the same turn; and the next turn is another."""
    reception = Reception(started=False, rates=SOON_SPENT)
    try:
        reception.knows(token("ann"))
        assert reception.router is not None
        sent: list[bytes] = []
        slow_clock(monkeypatch)
        monkeypatch.setattr(reception.mailbox.socket, "send", lambda who, _: sent.append(who))
        stranger, known = ({"action": "system.ping"}, {**MARK, "action": "no.such_action"})
        for _ in range(2):
            frames = [reception.frame(**each) for each in (stranger, known) * (3 * MAX_REFUSALS)]
            for number, frame in enumerate(frames):
                frame.parts[0] = (b"stranger", b"known")[number % 2]
            sent.clear()
            reception.router.handle(deque(frames))
            assert sent.count(b"known") == 3 * MAX_REFUSALS
        assert sent.count(b"stranger") == MAX_REFUSALS
    finally:
        reception.close()


@ENCODINGS
def test_a_heavy_message_of_a_stranger_is_refused_unread(encoding: Encoding) -> None:
    """Its token is looked for, and its id; what it holds is no one's business."""
    with served(UNLIMITED) as (_, raw_client):
        assert code(raw_client.ask(encoding, **{**MARK, "params": HEAVY})) == "invalid_argument"
        for claim in ({}, {"token": "nobody's"}):
            fields = {"tenant": "acme", "action": "marks.add", "params": HEAVY, **claim}
            assert code(raw_client.ask(encoding, **fields)) == "unauthenticated"


@ENCODINGS
def test_a_heavy_message_for_a_public_action_is_read(encoding: Encoding) -> None:
    with served(UNLIMITED) as (_, raw_client):
        fields = {"tenant": "acme", "action": "marks.open", "params": {"text": "x" * HEAVY_BYTES}}
        assert code(raw_client.ask(encoding, **fields)) == "ok"


@ENCODINGS
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_token_is_found_on_either_side_of_params_full_of_others(
    encoding: Encoding, place: str
) -> None:
    with served(UNLIMITED) as (_, raw_client):
        params = {"rows": [{"token": "an" * 20, "text": "x" * 20} for _ in range(500)]}
        claim, rest = (
            {"token": "ann"},
            {"tenant": "acme", "action": "marks.add", "timeout_ms": 9000},
        )
        fields = {**claim, "params": params, **rest}
        if place == "last":
            fields = {**rest, "params": params, **claim}
        assert code(raw_client.ask(encoding, **fields)) == "ok"


# ---------------------------------------------------------------- strangers


def test_a_connection_is_known_from_its_first_valid_token() -> None:
    """Its messages no longer wait behind others'; those of callers without a token do."""
    with served(UNLIMITED) as (reception, member), reception.raw_client() as stranger:
        assert stranger.ask(action="system.ping")["ok"]
        assert not stranger.ask(**{**MARK, "token": "none"})["ok"]
        assert member.ask(**MARK)["ok"]
        known = [each.is_known for each in reception.mailbox.socket._tallies.values()]
        assert sorted(known) == [False, True]
