"""A dashboard as a process before a served server, and people with their sessions."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import pytest

from actors.host.released import FOLDER, write_journal, write_record
from tests.child import Child
from tests.scripts.cli.console.conftest import FUNCTIONS, Served
from transport.client import Client
from transport.errors import Internal

PROGRAM = ("-m", "scripts.web")

HOSTILE = "<img src=x onerror=alert(1)> \x1b[31mred \u202eevil"

FUNCTIONS_2 = f"""def broken(ctx, params):
    raise ValueError({HOSTILE!r})


async def posting(ctx, params):
    at = "https://127.0.0.1:9/hook"
    await ctx.call("webhook.post", url=at, type="contact.removed", payload={{"id": params.id}})
    return {{"id": params.id}}
"""

VERSION = """
[[actions."contacts.{name}".versions]]
version = 2
state   = "under dev"
code    = "actors.tenant.functions.contacts_2:{code}"

"""


class Dashboard:
    """One before an admin channel; a context manager that ends it."""

    def __init__(self, endpoint: str, *arguments: object) -> None:
        given = ("--server", endpoint, "--port", 0, "--login-rate", 0, *arguments)
        self.child = Child(*given, program=PROGRAM)
        self.address = self.child.ready()
        """Such as http://127.0.0.1:40123."""
        self._people: list[Person] = []

    def stranger(self) -> Person:
        """Somebody who has not."""
        self._people.append(Person(self.address))
        return self._people[-1]

    def person(self, token: str) -> Person:
        """Somebody who has logged in."""
        person = self.stranger()
        answer = person.post("/login", token=token)
        assert answer.status_code == 303, answer.text
        return person

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in self._people:
            each.http.close()
        self.child.__exit__(kind, error, trace)


class Person:
    """One browser's cookies; forms are sent as its pages send them."""

    def __init__(self, address: str) -> None:
        self.http = httpx2.Client(base_url=address, timeout=30.0)
        self._address = address

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """One page, as it is answered."""
        return self.http.get(path, headers=headers)

    def page(self, path: str) -> str:
        """One page that has to be there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, **form: Any) -> httpx2.Response:
        """Send a form from a page of the dashboard."""
        return self.http.post(path, data=form, headers={"origin": self._address})

    def send(self, path: str, **form: Any) -> httpx2.Response:
        """The same with the secret of the session."""
        return self.post(path, csrf=self.csrf(), **form)

    def csrf(self) -> str:
        """That secret, as the pages carry it."""
        return hidden(self.page("/actions"), "csrf")


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found is not None, html
    return unescape(found[1])


def text_of(html: str) -> str:
    """What a page says, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


class People:
    """Tokens of a server's people, and calls of the admin channel as they."""

    def __init__(self, served: Served) -> None:
        self.endpoint = f"ipc://{served.data}/admin.sock"
        self.admin = (served.data / "admin.token").read_text().strip()
        """The first developer admin's."""
        self.owner = served.token
        """Of acme's admin owner."""
        self._client = Client(self.endpoint)

    def call(self, caller: str, action: str, tenant: str | None = None, /, **params: Any) -> Any:
        """The result of an action."""
        return self._client.call(action, params, token=caller, tenant=tenant)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()


@pytest.fixture(scope="session")
def people(served: Served) -> Iterator[People]:
    """Those of the one server."""
    found = People(served)
    yield found
    found.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests here, with a tenant acme; its index is a copy, which moves are written to."""
    server = Served(Path(tmp_path_factory.mktemp("served")) / "var")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def dashboard(people: People) -> Iterator[Dashboard]:
    """One dashboard for all tests here."""
    with Dashboard(people.endpoint) as running:
        yield running


@pytest.fixture(scope="session")
def admin(dashboard: Dashboard, people: People) -> Person:
    """The first developer admin, logged in."""
    return dashboard.person(people.admin)


@pytest.fixture(scope="session")
def owner(dashboard: Dashboard, people: People) -> Person:
    """Acme's admin owner, logged in."""
    return dashboard.person(people.owner)


@pytest.fixture(scope="session")
def broken_trace(served: Served, people: People) -> str:
    """The trace of a call of a version that has failed; it was written and taken in just now."""
    edit(served.data.parent, "get", "broken", "update")
    digest = people.call(people.admin, "functions.diff")["digest"]
    people.call(people.admin, "functions.reload", digest=digest)
    with Client(served.endpoint, tenant="acme", token=served.token) as member:
        id = member.call("contacts.add", {"name": "Ada Lovelace"})["id"]
        with pytest.raises(Internal) as failed:
            member.call("contacts.get", {"id": id})
    assert failed.value.trace_id is not None
    return failed.value.trace_id


@pytest.fixture(scope="session")
def call_trace(served: Served, people: People) -> str:
    """The trace of a call whose function called a connector, which refused the address."""
    edit(served.data.parent, "remove", "posting", "find")
    index = served.data.parent / "registry.toml"
    params = '[actions."contacts.remove".params]'
    index.write_text(index.read_text().replace(params, f'connectors = ["webhook.post"]\n{params}'))
    digest = people.call(people.admin, "functions.diff")["digest"]
    people.call(people.admin, "functions.reload", digest=digest)
    people.call(people.owner, "subscriptions.set", "acme", connector="webhook")
    settings = {"secrets": [f"whsec_{b64encode(bytes(32)).decode()}"]}
    people.call(
        people.owner, "connectors.configure", "acme", connector="webhook", settings=settings
    )
    with Client(served.endpoint, tenant="acme", token=served.token) as member:
        id = member.call("contacts.add", {"name": "Grace Hopper"})["id"]
        return str(member.request("contacts.remove", {"id": id}).meta["trace_id"])


@pytest.fixture(scope="session")
def wish(served: Served, people: People) -> str:
    """The id of a request, answered and prioritised."""
    with Client(served.endpoint, tenant="acme", token=served.token) as member:
        text = "Export < 3 & 'more'\nas a table, with all that was said"
        id = str(member.call("requests.submit", {"text": text})["request"]["id"])
    people.call(people.admin, "requests.answer", request=id, text="Which columns?\nAll of them?")
    people.call(people.admin, "requests.prioritise", request=id, priority="high")
    return id


@pytest.fixture(scope="session")
def release(served: Served) -> str:
    """The name of a release that went back; another one is being deployed."""
    lay_out(served.data)
    return "shop-7"


def lay_out(data: Path) -> None:
    """A release that went back, and the journal of a deploy that has not ended."""
    move = {"kind": "function", "name": "contacts.add", "version": 1, "origin": "under user test"}
    moves = [{**move, "to": "release", "requests": ["R-1"]}]
    record = {"release": "shop-7", "sequence": 7, "folder": "7", "moves": moves}
    folder = data / FOLDER / "7"
    folder.mkdir(parents=True)
    commit = {"id": "0123abcd", "date": "2026-11-01", "by": "Ada", "clean": True}
    manifest = {"commit": commit, "migrations": [{"file": "0001_orders.py"}]}
    manifest["breaks"] = ["params.sku is required now"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "RELEASE-NOTES.md").write_text("# shop-7")
    back = {"taken_back": "2026-11-01T12:00:00+00:00", "why": "too <slow>"}
    write_record(data, {**record, "deployed": "2026-11-01T11:00:00+00:00", **back})
    begun: dict[str, Any] = {
        "release": "shop-8",
        "folder": "8",
        "before": None,
        "moves": [],
        "step": "moved",
    }
    write_journal(data, {**begun, "began": "2026-11-02T12:00:00+00:00"})


def edit(folder: Path, name: str, code: str, following: str) -> None:
    """Write a version of an action of contacts into the index, before the following action; and its code."""
    (folder / FUNCTIONS / "contacts_2.py").write_text(FUNCTIONS_2)
    index = folder / "registry.toml"
    place, version = f'[actions."contacts.{following}"]', VERSION.format(name=name, code=code)
    index.write_text(index.read_text().replace(place, version + place, 1))
