"""A shop's index with its code, in git, for tests of releases."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from scripts.releasing.build.choice import Wanted
from scripts.releasing.build.plan import Request

INDEX = """\
# The shop.

[storage]
migrations = "migrations"

# What callers order.
[actions."orders.place"]
summary = "Place an order."
access  = "member"
effect  = "write"
[actions."orders.place".params]
required = ["sku"]
properties.sku = { type = "string", maxLength = 40 }
[actions."orders.place".result]
required = ["cents"]
properties.cents = { type = "integer" }
[[actions."orders.place".versions]]
version = 1
state   = "release"
code    = "shop.orders_place_1:place"

[[actions."orders.place".versions]]
version  = 2
state    = "potential release"
code     = "shop.orders_place_2:place"
request  = "R-2"

[actions."orders.drop"]
summary = "Drop an order."
access  = "member"
effect  = "write"
[[actions."orders.drop".versions]]
version = 1
state   = "under dev"
code    = "shop.orders_drop_1:drop"

[actions."orders.later"]
summary = "Not written yet."
access  = "member"
effect  = "read"
"""

FUNCTION = '''"""orders.place."""

import sqlalchemy as sa

from actors.errors import NotFound
from shop.prices import PRICE

FIND = sa.text("SELECT 1")


def place(ctx, params):
    """Place an order."""
    if params.sku == "":
        raise NotFound("there is no such article")
    return {{"cents": PRICE * {number}}}
'''

DROP = '''"""orders.drop."""


def drop(ctx, params):
    """Drop an order."""
    return {}
'''

TEST = '''"""orders.place, version 2."""

from types import SimpleNamespace

from shop.orders_place_2 import place


def test_it_costs_twice_as_much():
    assert place(None, SimpleNamespace(sku="A-1")) == {"cents": 1000}
'''

ENV = """\
from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
"""

MIGRATION = """\
from alembic import op
from sqlalchemy import Column, Integer

revision, down_revision = "{revision}", {down}


def upgrade() -> None:
    op.create_table("orders{revision}", Column("id", Integer, primary_key=True))
"""

GIT = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2026-11-01T12:00:00+05:00",
    "GIT_COMMITTER_DATE": "2026-11-01T12:00:00+05:00",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}

FILES = {
    "registry.toml": INDEX,
    "shop/__init__.py": "",
    "shop/prices.py": "PRICE = 500\n",
    "shop/orders_place_1.py": FUNCTION.format(number=1),
    "shop/orders_place_2.py": FUNCTION.format(number=2),
    "shop/orders_drop_1.py": DROP,
    "shop/unused.py": "",
    "tests/test_orders_place_2.py": TEST,
    "migrations/env.py": ENV,
    "migrations/versions/0001_orders.py": MIGRATION.format(revision="0001", down=None),
}


class Shop:
    """The folder of one index, as its developer has it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = root / "registry.toml"
        for path, text in FILES.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        """Write one file below the folder."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, path: str, before: str, after: str) -> None:
        """Replace a text of one file, which has it."""
        text = (self.root / path).read_text()
        assert before in text
        self.write(path, text.replace(before, after))

    def commit(self) -> None:
        """Put all that is there into git."""
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "The shop")):
            subprocess.run(["git", *words], cwd=self.root, env={**os.environ, **GIT}, check=True)

    def request(self, *labels: str, environment: str = "hosted-test", **wanted: object) -> Request:
        """A build of these versions."""
        return Request(self.index, environment, Wanted(labels, **wanted))  # type: ignore[arg-type]  # a test gives its own keys
