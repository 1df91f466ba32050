"""The peer: FastAPI, SQLAlchemy asyncio and aiosqlite on one uvicorn worker, a commit per request.

A child process: python -m scripts.benchmark.fastapi_peer --data DIR --port PORT. Written as its
makers' documentation writes it, with what is known to make it fast: uvloop, httptools, no access
log, Core statements built once, response models (serialised by pydantic's compiled core), an engine
for each tenant. It checks the token and the body; unlike Tenantry it stores no replies by id and
keeps no log.
"""

import argparse
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, event, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from scripts.benchmark.contacts import COLUMNS, PRAGMAS

contacts = Table(
    "contacts",
    MetaData(),
    *(
        Column(name, Integer if name == "id" else Text, primary_key=name == "id")
        for name in COLUMNS
    ),
)
INSERT = insert(contacts)
SELECT = select(contacts).where(contacts.c.id == bindparam("wanted"))


class NewContact(BaseModel):
    """The body of an add: the limits are those of the index."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    email: str | None = Field(default=None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    phone: str | None = Field(default=None, max_length=40)
    company: str | None = Field(default=None, max_length=200)


class Added(BaseModel):
    """The answer to an add."""

    id: int


class Contact(NewContact):
    """The answer to a get."""

    id: int
    created_at: str
    updated_at: str


async def engine_of(
    request: Request, tenant: str, authorization: Annotated[str, Header()]
) -> AsyncEngine:
    """The tenant's engine, for a bearer of the tenant's token; 401 for anyone else."""
    token = authorization.removeprefix("Bearer ")
    if request.app.state.tokens.get(token) != tenant:
        raise HTTPException(401, "no valid token for this tenant")
    engine: AsyncEngine = request.app.state.engines[tenant]
    return engine


Engine = Annotated[AsyncEngine, Depends(engine_of)]


async def add(contact: NewContact, engine: Engine) -> Added:
    """Insert one row and commit."""
    now = datetime.now(UTC).isoformat()
    async with engine.begin() as connection:
        made = await connection.execute(
            INSERT, {**contact.model_dump(), "created_at": now, "updated_at": now}
        )
    key = made.inserted_primary_key
    assert key is not None
    return Added(id=key[0])


async def get(contact_id: int, engine: Engine) -> Contact:
    """Read one row by its key."""
    async with engine.connect() as connection:
        row = (await connection.execute(SELECT, {"wanted": contact_id})).one_or_none()
    if row is None:
        raise HTTPException(404, f"no contact {contact_id}")
    return Contact.model_validate(row._asdict())


def open_engine(path: Path, pool_size: int) -> AsyncEngine:
    """An engine for one tenant's file, with the same PRAGMAs as the other peers."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"timeout": 30},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    return engine


def application(data: Path, pool_size: int) -> FastAPI:
    """The application over every `<tenant>.db` in a folder, with the tokens in tokens.json."""
    tokens = json.loads((data / "tokens.json").read_text())
    engines = {path.stem: open_engine(path, pool_size) for path in data.glob("*.db")}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        for engine in engines.values():
            await engine.dispose()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.state.tokens = {token: tenant for tenant, token in tokens.items()}
    app.state.engines = engines
    app.post("/tenants/{tenant}/contacts")(add)
    app.get("/tenants/{tenant}/contacts/{contact_id}")(get)
    return app


class Announcing(uvicorn.Server):
    """A server that says `ready` on standard output once it listens."""

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Start as usual, then say so."""
        await super().startup(sockets)
        print("ready", f"http://{self.config.host}:{self.config.port}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pool-size", type=int, default=1)
    arguments = parser.parse_args()
    config = uvicorn.Config(
        application(arguments.data, arguments.pool_size),
        host="127.0.0.1",
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        timeout_keep_alive=3600,  # connections wait while the other peers have their turns
        log_level="warning",
    )
    Announcing(config).run()
