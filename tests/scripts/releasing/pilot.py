"""An environment of the shop that releases are deployed to, with a server of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.assembly.identity import find_serving
from scripts.releasing.build.plan import planned
from scripts.releasing.bundle import Bundle, packed, unpacked
from scripts.releasing.deploy.place import Place, Server, place_of, server_of
from scripts.releasing.deploy.procedure import Deploy
from tests.child import Child
from tests.scripts.releasing.shop import FUNCTION, Shop
from transport.client import Client

ENVIRONMENTS = """
[environments.pilot]
serves  = ["release"]
testers = ["under user test"]
"""

VERSION = """
[[actions."orders.place".versions]]
version = {number}
state   = "under user test"
code    = "shop.orders_place_{number}:place"
request = "R-{number}"
"""

SLOW = '''"""orders.place, which counts for long where the slow article is ordered."""

import sqlalchemy as sa

COUNT = sa.text(
    "WITH RECURSIVE counted(n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM counted WHERE n < :most) "
    "SELECT count(*) FROM counted"
)


def place(ctx, params):
    """Place an order."""
    ctx.db.scalar(COUNT, {{"most": 1_000_000 if params.sku == "slow" else 1}})
    return {{"cents": {number}}}
'''

FAILING = FUNCTION.replace("PRICE * {number}", "PRICE * {number} // 0")


class Pilot:
    """A shop with an environment that releases are deployed to, and its server."""

    def __init__(self, folder: Path) -> None:
        self.shop = Shop(folder / "shop")
        with self.shop.index.open("a") as file:
            file.write(ENVIRONMENTS)
        self.data = folder / "data"
        (self.shop.root / "environments.toml").write_text(f'[pilot]\ndata = "{self.data}"\n')
        self.place: Place = place_of(self.shop.index, "pilot")
        self.said: list[str] = []
        self.last: Bundle | None = None
        self._built: dict[int, Bundle] = {}

    def write(self, number: int, text: str = FUNCTION) -> None:
        """Add a version of orders.place, under user test."""
        self.shop.write(f"shop/orders_place_{number}.py", text.format(number=number))
        with self.shop.index.open("a") as file:
            file.write(VERSION.format(number=number))

    def build(self, *labels: str, sequence: int | None = None) -> Bundle:
        """The next release."""
        request = self.shop.request(*labels, environment="pilot")
        plan = planned(request._replace(name="shop", base=self.last, sequence=sequence))
        self.last = unpacked(packed(plan.manifest, plan.files), plan.manifest.file)
        self._built[plan.manifest.sequence] = self.last
        return self.last

    def build_after(self, base: int, *labels: str, sequence: int) -> Bundle:
        """A release that follows one which is not the latest that was built."""
        self.last = self._built[base]
        return self.build(*labels, sequence=sequence)

    def start(self) -> Child:
        """A server of the environment."""
        return Child("--registry", self.shop.index, "--environment", "pilot", "--tenant", "acme")

    def deploy(self, bundle: Bundle, seconds: float = 0.0, **parts: Any) -> None:
        """Deploy to the running server, or to new data."""
        server = server_of(self.place)
        if server is None:
            Deploy(self.place, None, self.said.append).deploy(bundle, seconds)
            return
        with server:
            Deploy(self.place, server, self.said.append, **parts).deploy(bundle, seconds)

    def recover(self) -> None:
        """What the next deploy begins with."""
        with self.server() as server:
            Deploy(self.place, server, self.said.append).recover()

    def rollback(self) -> None:
        """Take the release that is served back."""
        with self.server() as server:
            Deploy(self.place, server, self.said.append).rollback("a test")

    def server(self) -> Server:
        """The running server."""
        found = server_of(self.place)
        assert found is not None
        return found

    def states(self) -> dict[str, str]:
        """The state of every version."""
        with self.server() as server:
            return {
                f"{name}@{version}": state for (_, name, version), state in server.states().items()
            }


def endpoint_of(pilot: Pilot) -> str:
    """Where the data channel listens."""
    serving = find_serving(pilot.data)
    assert serving is not None
    return serving.endpoint


def price(client: Client) -> int:
    """What an order costs now."""
    return int(client.call("orders.place", {"sku": "A-1"})["cents"])
