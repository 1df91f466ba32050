"""Four attackers with a token or none: what each gets, when the ladder steps, what the owner reads.

Each is patient: it waits as long as `retry_after_ms` says, and stops when its token is suspended. Meanwhile
another tenant is served at a steady rate. The desk is the repository's own, with its signals as they are.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from scripts.benchmark.plan import ADD, Call
from scripts.endurance.connection import LoadConnection, Reply, code
from scripts.endurance.desk import own_desk
from scripts.endurance.load import Window, steady
from scripts.endurance.server import Console, Installation, Server
from scripts.endurance.verdict import Report
from transport.client import Client
from transport.curve import make_pair, read_pair, read_public

ATTACKED, BYSTANDER = "acme", "globex"
WARM_UP: Final = 1.0
"""Seconds of load before the first calm window."""
TURN: Final = 0.25
"""Seconds of the other tenant's load between two looks at whether the attacker has ended."""
IDS: Final = 5000
"""Ids that the enumeration draws from; the first ones are contacts."""
SUSPENDED: Final = "permission_denied"
STEPS: Final = ["intent.log", "intent.slow", "intent.suspend"]


class Plan(NamedTuple):
    """How long and how hard."""

    calm: float
    contacts: int
    rate: float
    slow: str
    tries: int
    ratio: float
    least_ms: float


FULL: Final = Plan(
    calm=5.0, contacts=400, rate=200.0, slow="1s", tries=2000, ratio=1.5, least_ms=5.0
)
QUICK: Final = FULL._replace(calm=1.0, slow="100ms")

MEANINGS: Final = {
    "calm": "seconds of the other tenant's load alone, before and after each attack",
    "contacts": "contacts of the tenant that is attacked",
    "rate": "requests a second of the other tenant",
    "slow": "time between two messages of a token that is slowed, such as 1s",
    "tries": "messages of one attacker at the most",
    "ratio": "times that the other tenant's p99 may grow",
    "least_ms": "p99 in milliseconds that is good enough, however much it has grown",
}


class Spoils(NamedTuple):
    """What one attacker has got."""

    codes: Counter[str]
    """Replies by their codes."""
    untimely: int
    """Messages that were refused although the attacker had waited as long as it was asked."""

    @property
    def words(self) -> str:
        """Return the counts in words."""
        return ", ".join(f"{number} x {each}" for each, number in sorted(self.codes.items()))


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """One attacker after the other; ChildFailed, NoReply."""
    report = Report(f"intent: four attackers, {plan.rate:g} requests/s of another tenant")
    index = own_desk(folder, f'[intent]\nslow = "{plan.slow}"')
    installation = Installation(
        folder, (ATTACKED, BYSTANDER), {"tenant_rate": 0}, index, owners=True
    )
    Trial(plan, installation, progress, report).run()
    StolenToken(folder, installation, progress, report).run()
    return report


class Member(NamedTuple):
    """A person of the attacked tenant, whose token is used for an attack."""

    person: str
    token: str
    """The token's id."""
    text: str


def new_member(console: Console, name: str) -> Member:
    """Add a person with a token."""
    person = console.ask("members.add", ATTACKED, name=name)["member"]["id"]
    issued = console.ask("tokens.issue", ATTACKED, person=person, label=name)
    return Member(person, issued["token"]["id"], issued["text"])


class Trial:
    """Enumeration, bulk delete and token spray, on one server."""

    def __init__(
        self,
        plan: Plan,
        installation: Installation,
        progress: Callable[[str], None],
        report: Report,
    ) -> None:
        self._plan = plan
        self._installation = installation
        self._progress = progress
        self._report = report
        self._numbers = count()

    def run(self) -> None:
        """Each attacker while the other tenant is served; the figures of both."""
        plan = self._plan
        server = self._installation.start()
        owner = Console(self._installation.data, self._installation.tokens)
        bystander = LoadConnection(server.endpoint, self._installation.tokens)
        try:
            bystander.exchange(self._adds(ATTACKED, plan.contacts))
            steady(bystander, self._calls(), plan.rate, WARM_UP)
            for attack in (self._enumeration, self._bulk_delete, self._spray):
                self._progress(attack.__name__.strip("_").replace("_", " "))
                attack(server, owner, bystander)
        finally:
            bystander.close()
            owner.close()
            server.end()

    # The attacks

    def _enumeration(self, server: Server, owner: Console, bystander: LoadConnection) -> None:
        """Random ids, most of which are no contact's."""
        member = new_member(owner, "enumeration")
        ids = random.Random(7).sample(range(1, IDS), self._plan.tries)
        calls = (self._call("contacts.get", id=id_) for id_ in ids)
        spoils = self._under_attack("enumeration", server, bystander, member.text, calls)
        self._judge("enumeration", owner, member, spoils)
        self._report.promise(
            f"enumeration: {spoils.codes['ok']} contacts read of {self._plan.contacts}",
            spoils.codes["ok"] < self._plan.contacts / 10,
        )

    def _bulk_delete(self, server: Server, owner: Console, bystander: LoadConnection) -> None:
        """One contact after the other."""
        member = new_member(owner, "bulk delete")
        calls = (self._call("contacts.remove", id=id_) for id_ in range(1, self._plan.contacts + 1))
        spoils = self._under_attack("bulk-delete", server, bystander, member.text, calls)
        self._judge("bulk-delete", owner, member, spoils)
        left = self._plan.contacts - spoils.codes["ok"]
        self._report.promise(
            f"bulk-delete: {left} contacts of {self._plan.contacts} are left",
            left > self._plan.contacts / 2,
        )

    def _spray(self, server: Server, owner: Console, bystander: LoadConnection) -> None:
        """Tokens that are none, each another one."""
        guesses = [f"tnt_{number:043x}" for number in range(self._plan.tries // 10)]
        tokens = {f"guess-{at}": text for at, text in enumerate(guesses)}
        calls = (Call(name, name, "contacts.get", {"id": 1}) for name in tokens)
        spoils = self._under_attack("tokens-tried", server, bystander, "", calls, tokens)
        admin = Console(self._installation.data)
        listed = admin.ask("intent.list")["standings"]
        admin.close()
        seen = [each for each in listed if "tokens-tried" in each["signals"]]
        self._report.figure("tokens-tried", spoils.words)
        self._report.promise("tokens-tried: no token was guessed", spoils.codes["ok"] == 0)
        self._report.promise(
            f"tokens-tried: a developer admin reads of {', '.join(each['id'] for each in seen)}",
            bool(seen),
        )
        theirs = owner.ask("intent.list", ATTACKED)["standings"]
        self._report.promise(
            "tokens-tried: no token of the tenant pays for it",
            all("tokens-tried" not in each["signals"] for each in theirs),
        )

    # Around them

    def _under_attack(
        self,
        name: str,
        server: Server,
        bystander: LoadConnection,
        token: str,
        calls: Iterator[Call],
        tokens: dict[str, str] | None = None,
    ) -> Spoils:
        found: list[Spoils] = []
        connection = LoadConnection(server.endpoint, tokens or {ATTACKED: token})
        calm = steady(bystander, self._calls(), self._plan.rate, self._plan.calm)
        attacker = threading.Thread(target=lambda: found.append(attack(connection, calls)))
        attacker.start()
        window = Window([], Counter())
        while attacker.is_alive():
            some = steady(bystander, self._calls(), self._plan.rate, TURN)
            window = Window(window.latencies + some.latencies, window.problems + some.problems)
        attacker.join()
        connection.close()
        after = steady(bystander, self._calls(), self._plan.rate, self._plan.calm)
        calm.latencies.extend(after.latencies)
        self._judge_others(name, window, calm)
        return found[0]

    def _judge(self, name: str, owner: Console, member: Member, spoils: Spoils) -> None:
        self._report.figure(name, spoils.words)
        self._report.promise(
            f"{name}: the token is suspended after {spoils.codes.total() - 1} messages",
            spoils.codes[SUSPENDED] == 1,
        )
        self._report.promise(f"{name}: retry_after_ms was true each time", spoils.untimely == 0)
        report_owner(name, owner, member, self._report)

    def _judge_others(self, name: str, window: Window, calm: Window) -> None:
        p99 = window.percentile(0.99)
        most = max(self._plan.ratio * calm.percentile(0.99), self._plan.least_ms)
        self._report.promise(
            f"{name}: {len(window.latencies)} requests of the other tenant, "
            f"{window.problems.total()} went wrong, p99 {p99:.1f} ms, alone {calm.percentile(0.99):.1f}, "
            f"at most {most:.1f}",
            not window.problems and p99 <= most,
        )

    def _adds(self, tenant: str, number: int) -> Iterator[Call]:
        for _ in range(number):
            at = next(self._numbers)
            yield Call(f"add-{at}", tenant, ADD, {"name": f"contact {at}"})

    def _calls(self) -> Iterator[Call]:
        while True:
            yield from self._adds(BYSTANDER, 1)

    def _call(self, action: str, **params: Any) -> Call:
        return Call(f"attack-{next(self._numbers)}", ATTACKED, action, params)


def attack(connection: LoadConnection, calls: Iterator[Call]) -> Spoils:
    """Send one call after the other until the token is suspended, as slowly as is asked."""
    codes: Counter[str] = Counter()
    untimely = 0
    for call in calls:
        reply = ask(connection, call)
        if code(reply) == "resource_exhausted":
            time.sleep(reply["error"]["retry_after_ms"] / 1000)
            codes["resource_exhausted"] += 1
            reply = ask(connection, call._replace(id=f"{call.id}-again"))
            untimely += code(reply) == "resource_exhausted"
        codes[code(reply)] += 1
        if code(reply) == SUSPENDED:
            break
    return Spoils(codes, untimely)


def ask(connection: LoadConnection, call: Call) -> Reply:
    """Send a call and return its reply; NoReply."""
    connection.send(call)
    return connection.reply()


def report_owner(name: str, owner: Console, member: Member, report: Report) -> None:
    """Promise that the owner reads all steps and may lift the last, and that this is served then."""
    listed = owner.ask("intent.list", ATTACKED)["standings"]
    seen = [each for each in listed if each["id"] == member.token]
    records = owner.ask("audit.list", ATTACKED, limit=100)["records"]
    steps = [each["action"] for each in reversed(records) if each["token"] == member.token]
    steps = [each for each in steps if each.startswith("intent.")]
    report.promise(
        f"{name}: the owner reads {', '.join(each['step'] for each in seen)} and the records "
        f"{', '.join(steps)}",
        [each["step"] for each in seen] == ["suspend"] and steps == STEPS,
    )
    done = owner.ask("intent.clear", ATTACKED, token=member.token)
    report.promise(f"{name}: the owner lifts it", done["was_suspended"])


class StolenToken:
    """A token that its holder goes on using while a thief, with a key of its own, does what it likes."""

    def __init__(
        self,
        folder: Path,
        installation: Installation,
        progress: Callable[[str], None],
        report: Report,
    ) -> None:
        self._installation = installation
        self._progress = progress
        self._report = report
        self._pairs = {
            name: make_pair(folder / "keys", name) for name in ("server", "holder", "thief")
        }

    def run(self) -> None:
        """The holder first, then the thief."""
        self._progress("stolen token")
        server = self._installation.start(curve_keys=self._pairs["server"].secret)
        owner = Console(self._installation.data, self._installation.tokens)
        try:
            member = new_member(owner, "holder")
            issued = owner.ask(
                "tokens.issue", ATTACKED, person=member.person, label="another machine"
            )
            self._play(server, owner, member, issued["text"])
        finally:
            owner.close()
            server.end()

    def _play(self, server: Server, owner: Console, member: Member, spare: str) -> None:
        with (
            self._client(server, "holder", member.text) as holder,
            self._client(server, "thief", member.text) as thief,
            self._client(server, "holder", spare) as other,
        ):
            holder.call("contacts.find", {"text": "contact"})
            codes = Counter([code_of(thief, "contacts.find", text="contact")])
            noticed = self._standing(owner, member)
            for at in range(200):
                codes[found := code_of(thief, "contacts.get", id=IDS + at)] += 1
                if found == SUSPENDED:
                    break
            self._report.figure("stolen", ", ".join(f"{n} x {c}" for c, n in codes.items()))
            self._report.promise(
                f"stolen: the owner reads of a second key at its first use: {noticed}",
                noticed == ("log", ["second-key"]),
            )
            self._report.promise(
                "stolen: the token is suspended, for its holder as well",
                codes[SUSPENDED] == 1 and code_of(holder, "contacts.get", id=1) == SUSPENDED,
            )
            self._report.promise(
                "stolen: the holder's other token is served",
                code_of(other, "contacts.find", text="contact") == "ok",
            )
        report_owner("stolen", owner, member, self._report)

    def _client(self, server: Server, name: str, token: str) -> Client:
        return Client(
            server.endpoint,
            tenant=ATTACKED,
            token=token,
            server_key=read_public(self._pairs["server"].public),
            keys=read_pair(self._pairs[name].secret),
        )

    def _standing(self, owner: Console, member: Member) -> tuple[str, list[str]] | None:
        listed = owner.ask("intent.list", ATTACKED)["standings"]
        found = next((each for each in listed if each["id"] == member.token), None)
        return found and (found["step"], found["signals"])


def code_of(client: Client, action: str, **params: Any) -> str:
    """Return `ok`, or the code of the refusal; the client waits as long as it is asked."""
    reply = client.submit(action, params).reply()
    return "ok" if reply.error is None else reply.error.code
