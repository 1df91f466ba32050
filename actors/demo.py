"""What the demo tenants hold: believable people, notes on them and tickets, as ordinary requests.

Nothing here touches a database: the server sends these requests as any client would, in this order, to
a tenant that is new and empty. Contacts are numbered from 1 in the order of the list.

`serve --demo`: makes the demo tenants, fills them as any client would, and says how to call them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from actors.access import ADMIN_OWNER
from actors.assembly.system import System
from actors.errors import SettingsError
from actors.host.files import write_private
from actors.host.program import command
from transport.client import Client

Call = tuple[str, Mapping[str, Any]]
"""An action and its params."""


class Person(NamedTuple):
    """One contact; what is not known of a person stays None."""

    name: str
    email: str | None = None
    phone: str | None = None
    company: str | None = None


class Scenario(NamedTuple):
    """One ticket and what became of it, in turns of `desk` and `contact`."""

    contact: int
    subject: str
    body: str
    assignee: str | None = None
    replies: tuple[tuple[str, str], ...] = ()
    closed: str | None = None
    """Why it was closed; None while it is not."""


class DemoTenant(NamedTuple):
    """Everything that one demo tenant holds."""

    people: tuple[Person, ...]
    notes: tuple[tuple[int, str], ...]
    """Number of the contact, text."""
    stories: tuple[Scenario, ...]


ACME = DemoTenant(
    people=(
        Person("Ada Lovelace", "ada@analytical.example", "+44 20 7946 0101", "Analytical Engines"),
        Person("Grace Hopper", "grace@cobol.example", "+1 202 555 0102", "Compiler & Daughters"),
        Person("Alan Turing", "alan@bletchley.example", "+44 1908 640404", "Bletchley Computing"),
        Person(
            "Katherine Johnson", "katherine@trajectory.example", "+1 757 555 0104", "Trajectory"
        ),
        Person(
            "Margaret Hamilton", "margaret@apollo.example", "+1 617 555 0105", "Apollo Software"
        ),
        Person(
            "Edsger Dijkstra", "edsger@shortest-path.example", "+31 20 555 0106", "Shortest Path"
        ),
        Person("Barbara Liskov", "barbara@clu.example", "+1 617 555 0107", "Substitution Ltd"),
        Person("Donald Knuth", None, None, "The Art of Programming"),
        Person("Frances Allen", "fran@optimize.example", "+1 914 555 0109", "Optimizing Compilers"),
        Person("Ken Thompson", "ken@unics.example", None, "Unics Time-Sharing"),
        Person("Dennis Ritchie", "dmr@unics.example", "+1 908 555 0111", "Unics Time-Sharing"),
        Person("Hedy Lamarr", "hedy@hopping.example", "+43 1 555 0112", "Frequency Hopping GmbH"),
        Person("Claude Shannon", "claude@entropy.example", "+1 908 555 0113", "Entropy & Sons"),
        Person("Emmy Noether", "emmy@invariant.example", "+49 9131 555114", "Invariant AG"),
        Person("Radia Perlman", "radia@spanning-tree.example", "+1 425 555 0115", "Spanning Tree"),
        Person("John McCarthy", "john@lisp.example", "+1 650 555 0116", "Parenthesis Inc"),
        Person(
            "Conan O'Brien", "conan@late-night.example", "+1 818 555 0117", "Late Night Hosting"
        ),
        Person("José Núñez", "jose.nunez@faro.example", "+34 91 555 0118", "Faro Ediciones"),
        Person("Søren Ågård", "soren@nordlys.example", "+45 33 55 01 19", "Nordlys ApS"),
        Person("Zoë Łukasiewicz", "zoe@odwrotna.example", "+48 22 555 0120", "Odwrotna Notacja"),
        Person("Ольга Ладыженская", "olga@navier.example", "+7 812 555 0121", "Навье и Стокс"),
        Person("Ελένη Παπαδοπούλου", "eleni@kastro.example", "+30 21 0555 0122", "Κάστρο ΑΕ"),
        Person("李明", "li.ming@huanghe.example", "+86 10 5555 0123", "黄河科技"),
        Person("さくら 田中", "sakura@hanami.example", "+81 3 5555 0124", "花見デザイン"),
        Person("अनीता शर्मा", "anita@saraswati.example", "+91 11 5555 0125", "सरस्वती पुस्तकालय"),
        Person("ليلى حداد", "layla@yasmine.example", "+961 1 555 126", "ياسمين للنشر"),
        Person("Nguyễn Thị Hoa", "hoa@senvang.example", "+84 24 5555 0127", "Sen Vàng"),
        Person("Adaeze Okafor", "adaeze@lagoon.example", "+234 1 555 0128", "Lagoon Logistics"),
        Person('Bartholomew "Bart" Featherstonehaugh-Cholmondeley', "bart@long.example"),
        Person("Reception, second floor", None, "+44 20 7946 0130"),
    ),
    notes=(
        (1, "Prefers letters to calls. Ask about the Bernoulli numbers."),
        (1, "Introduced us to Mr Babbage; the engine is late again."),
        (2, "Found an actual moth in the relay. Keep the page of the logbook."),
        (4, "Checks the machine's figures by hand, and is right."),
        (8, "Reads mail once in three months. Send corrections on paper; he pays for each."),
        (17, "The apostrophe in the name is meant. Do not `fix` it."),
        (20, "Wants the operator after its operands."),
        (23, "Family name first."),
    ),
    stories=(
        Scenario(
            1,
            "The engine divides by zero",
            "At step 23 of the table the wheels turn for ever. Is there an operation that stops them?",
            "grace",
            (
                (
                    "desk",
                    "There is: test the divisor first. Diagram attached to the printed answer.",
                ),
                ("contact", "It stops now. Might it also have told me why?"),
            ),
        ),
        Scenario(
            2,
            "Invoice in hexadecimal",
            "The total says 0x7D0. My bank was not amused. Please send it in decimal.",
            "joan",
            (("desk", "Sent again as 2,000.00. Sorry!"),),
            "Invoice sent again.",
        ),
        Scenario(
            5,
            "Alarm 1202 during the demonstration",
            "The display showed 1202 and went on. May we go on too?",
            "joan",
            (
                (
                    "desk",
                    "We are go on that alarm: it shed what was not needed. Does it come again?",
                ),
            ),
        ),
        Scenario(6, "GO TO in the sample code", "Page 14 contains a GO TO. I consider it harmful."),
        Scenario(
            13,
            "Noise on the line",
            "About one bit in a hundred arrives wrong since Tuesday. What capacity can I count on?",
        ),
        Scenario(
            23,
            "发票抬头有误",
            "请将发票抬头改为“黄河科技”。谢谢。",
            "joan",
            (("desk", "已更正，新发票已寄出。"), ("contact", "收到，谢谢！")),
            "New invoice received.",
        ),
    ),
)

GLOBEX = DemoTenant(
    people=(
        Person("Marie Curie", "marie@radium.example", "+33 1 55 55 02 01", "Institut du Radium"),
        Person(
            "Nikola Tesla", "nikola@wardenclyffe.example", "+1 631 555 0202", "Wardenclyffe Power"
        ),
        Person("Rosalind Franklin", "rosalind@photo51.example", "+44 20 7946 0203", "Photo 51"),
        Person("Richard Feynman", "dick@bongo.example", "+1 626 555 0204", "Bongo Lectures"),
        Person("Chien-Shiung Wu", "wu@parity.example", "+1 212 555 0205", "Parity Experiments"),
        Person("Lise Meitner", "lise@fission.example", "+46 8 555 0206", "Meitner & Frisch"),
        Person(
            "Michael Faraday", "michael@induction.example", "+44 20 7946 0207", "Induction Works"
        ),
        Person("Mary Anning", "mary@lyme-regis.example", None, "Lyme Regis Fossils"),
        Person("Charles Darwin", "charles@beagle.example", "+44 1689 555208", "Beagle Voyages"),
        Person("Vera Rubin", "vera@rotation.example", "+1 202 555 0210", "Rotation Curves"),
        Person(
            "Jocelyn Bell Burnell", "jocelyn@pulsar.example", "+44 1223 555211", "Pulsar Timing"
        ),
        Person(
            "Subrahmanyan Chandrasekhar", "chandra@limit.example", "+1 773 555 0212", "Limit 1.4"
        ),
        Person("Max Planck", "max@quantum.example", "+49 30 555213", "Quantum Versand"),
        Person("Johannes Kepler", None, "+43 316 555214", "Planetenbahnen OHG"),
        Person("Tycho Brahe", "tycho@uraniborg.example", None, "Uraniborg Observatory"),
        Person("Hypatia", None, None, "Mouseion"),
        Person("Maryam Mirzakhani", "maryam@moduli.example", "+98 21 5555 0217", "Moduli Spaces"),
        Person("Srinivasa Ramanujan", "ramanujan@1729.example", "+91 44 5555 0218", "Taxi 1729"),
        Person("Sofja Kowalewskaja", "sofja@kreisel.example", "+46 8 555 0219", "Kreisel AB"),
        Person("Paul Erdős", "paul@collaborate.example", None, "No Fixed Address"),
        Person(
            "Évariste Galois", "evariste@corps.example", "+33 1 55 55 02 21", "Corps et Groupes"
        ),
        Person("Niels Bohr", "niels@koebenhavn.example", None, "Komplementær A/S"),
        Person("Milutin Milanković", "milutin@ciklus.example", "+381 11 555 0223", "Ciklus d.o.o."),
        Person("Дмитрий Менделеев", "dmitri@elements.example", "+7 812 555 0224", "Периодика"),
        Person("湯川 秀樹", "hideki@meson.example", "+81 75 555 0225", "中間子研究所"),
        Person("屠呦呦", "tu@qinghao.example", "+86 10 5555 0226", "青蒿制药"),
        Person("Wangari Maathai", "wangari@greenbelt.example", "+254 20 555 0227", "Green Belt"),
        Person(
            "Flossie Wong-Staal", "flossie@cloning.example", "+1 858 555 0228", "Cloning Partners"
        ),
        Person("Ada Yonath", "ada.yonath@ribosome.example", "+972 8 555 0229", "Ribosome Crystals"),
        Person("Lab switchboard", None, "+33 1 55 55 02 30"),
    ),
    notes=(
        (1, "Her notebooks glow. Scan them; do not ask for the originals."),
        (2, "Hotel room 3327. Divisible by three, as he asked."),
        (4, "Surely joking."),
        (14, "Waits for Tycho's data on Mars."),
        (15, "Does not give his data away. See Kepler."),
        (18, "Took cab 1729 and found it interesting."),
        (29, "Not the Ada of acme: another tenant's contacts are never seen here."),
    ),
    stories=(
        Scenario(
            1,
            "Balance drifts by a milligram",
            "Since the last calibration the balance drifts by a milligram an hour. Warm to the touch.",
            "otto",
            (("desk", "Please move the sample out of the room and read again."),),
        ),
        Scenario(
            2,
            "Power arrives by wire",
            "I had ordered it without.",
            None,
            (("desk", "The wireless model is out of stock since 1905."),),
            "Customer keeps the wire.",
        ),
        Scenario(
            11, "Bit of scruff on the chart", "A signal, regular to 1.337 seconds. Fault of ours?"
        ),
        Scenario(
            14,
            "Data on Mars",
            "I asked for the observations in 1600. May I have them now?",
            "otto",
            (
                ("desk", "The owner has not released them yet. We have asked."),
                ("contact", "Eight minutes of arc are all that I need explained."),
            ),
        ),
        Scenario(
            24, "Пустые клетки в таблице", "В таблице пустые клетки. Оставить их для будущих?"
        ),
    ),
)

TENANTS: Mapping[str, DemoTenant] = {"acme": ACME, "globex": GLOBEX}


def requests(tenant: str) -> Iterator[Call]:
    """What to send to the demo tenant of that name, in this order; nothing for any other name."""
    if tenant not in TENANTS:
        return
    people, notes, stories = TENANTS[tenant]
    rows = [{k: v for k, v in person._asdict().items() if v is not None} for person in people]
    yield "contacts.import", {"rows": rows, "strict": True}
    for contact, body in notes:
        yield "notes.add", {"contact_id": contact, "body": body}
    for number, story in enumerate(stories, 1):
        yield from _to_requests(number, story)


def _to_requests(ticket: int, story: Scenario) -> Iterator[Call]:
    opening = {"contact_id": story.contact, "subject": story.subject, "body": story.body}
    yield "tickets.open", opening | ({"assignee": story.assignee} if story.assignee else {})
    for author, body in story.replies:
        yield "tickets.reply", {"id": ticket, "author": author, "body": body}
    if story.closed is not None:
        yield "tickets.close", {"id": ticket, "reason": story.closed}


NAMES = ("acme", "globex")

LABEL = "demo"


def prepare_demo(system: System, data: Path) -> Iterator[str]:
    """Make what is missing, write demo.json, and give the lines to print."""
    if system.settings.curve_keys is not None:
        raise SettingsError("--demo is for trying out on loopback: leave TENANTRY_CURVE_KEYS unset")
    _require_demo_functions(system)
    tokens = {name: _token(system, name) for name in NAMES}
    content = {"endpoint": system.endpoint, "tokens": tokens}
    write_private(data / "demo.json", json.dumps(content, indent=2) + "\n")
    yield "demo tenants: acme and globex; in another terminal:"
    call = command("call")
    yield f"  {call} acme contacts.find text=ada"
    yield f"  {call} acme tickets.list state=open"
    yield f"  {call} globex contacts.add name='Grace Hopper' email=grace@example.com"
    yield f"  {call} - system.ping"


def _require_demo_functions(system: System) -> None:
    """SettingsError where the index is another one, before anything is made."""
    asked = {action for name in NAMES for action, _ in requests(name)}
    missing = sorted(asked - system.snapshot.current.routes.keys())
    if missing:
        raise SettingsError(
            f"--demo needs {missing[0]}, which {system.settings.registry} does not describe: "
            "leave TENANTRY_REGISTRY (--registry) unset, or --demo"
        )


def _token(system: System, name: str) -> str:
    """A token for the tenant, which is made and filled where it is not there."""
    is_new = system.local.find_tenant(name) is None
    if is_new:
        system.local.create_tenant(name)
    token = system.local.issue_token(name, ADMIN_OWNER, LABEL).text
    if is_new:
        _fill(system.endpoint, name, token)
    return token


def _fill(endpoint: str, name: str, token: str) -> None:
    with Client(endpoint, tenant=name, token=token) as client:
        sent = [
            client.submit(action, params, id=f"demo-{number}")
            for number, (action, params) in enumerate(requests(name), start=1)
        ]
        for pending in sent:
            pending.result()
