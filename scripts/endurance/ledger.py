"""What was asked of the server, what it acknowledged, and whether what it holds agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from scripts.benchmark.plan import ADD, Call
from scripts.endurance.wire import NoReply, Reply, Wire, problem

FIND = "contacts.find"


class Ledger:
    """Adds of contacts, each with an id and a name that no other has."""

    def __init__(self, tenants: Sequence[str]) -> None:
        self.tenants = tenants
        self.asked: dict[str, Call] = {}
        self.acknowledged: dict[str, int] = {}
        """Id of a request → id of the contact that its ok reply named."""
        self.refused: Counter[str] = Counter()
        """Replies that were not ok, by their error."""
        self._numbers = count()

    def adds(self) -> Iterator[Call]:
        """New ones without end, over the tenants in turn."""
        for number in self._numbers:
            tenant = self.tenants[number % len(self.tenants)]
            call = Call(f"add-{number:08d}", tenant, ADD, {"name": f"load {number:08d}"})
            self.asked[call.id] = call
            yield call

    def take(self, reply: Reply) -> None:
        """Note what the server said; NoReply where it said two things about one id."""
        if wrong := problem(reply):
            self.refused[wrong] += 1
            return
        contact = reply["result"]["id"]
        if self.acknowledged.setdefault(reply["id"], contact) != contact:
            raise NoReply(f"the id {reply['id']} was given two contacts")

    def unacknowledged(self) -> list[Call]:
        """Asked and not known to be done, in the order of asking."""
        return [call for id, call in self.asked.items() if id not in self.acknowledged]


class Sight(Counter[str]):
    """How many rows were looked for, and how many were `lost`, `doubled` or `changed`."""

    @property
    def wrong(self) -> int:
        """Rows that are not there exactly once as acknowledged."""
        return self["lost"] + self["doubled"] + self["changed"]


def look(wire: Wire, ledger: Ledger, ids: Iterable[str]) -> Sight:
    """Find each acknowledged contact through the API, by its name, and compare."""
    sight = Sight()
    asked = {f"find-{id}": ledger.asked[id] for id in ids}
    finds = (Call(f, c.tenant, FIND, {"text": c.params["name"]}) for f, c in asked.items())
    for id, reply in wire.exchange(finds).items():
        if wrong := problem(reply):
            raise NoReply(f"{FIND} failed: {wrong}")
        call = asked[id]
        rows = [
            row["id"] for row in reply["result"]["contacts"] if row["name"] == call.params["name"]
        ]
        sight.update(judge(rows, ledger.acknowledged[call.id]))
    return sight


def judge(rows: list[int], expected: int) -> Iterator[str]:
    """What is to be said of the ids of the rows that one add has left."""
    yield "looked for"
    if not rows:
        yield "lost"
    elif len(rows) > 1:
        yield "doubled"
    elif rows != [expected]:
        yield "changed"
