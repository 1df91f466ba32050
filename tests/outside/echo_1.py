"""Version 1 of the connector echo: a line of JSON each way, to a port on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from actors.connectors.contract import Delivery, Permanent, Transient
from actors.connectors.outbound.boundary import EgressPolicy

Json = Mapping[str, Any]

SHOUT = ""


class Echo:
    """Says what it is given."""

    def __init__(self, egress: EgressPolicy) -> None:
        """It reaches this machine alone."""

    def outer(self, delivery: Delivery, params: Json, settings: Any) -> Json:
        """Has the tenant's secret under a harmless name, as protocols do."""
        if params["text"] == "unsayable":
            raise Permanent("that cannot be said")
        greeting = f"I am {settings.pin or 'nobody'}, {params.get('secret', '')}"
        return {"text": params["text"] + SHOUT, "greeting": greeting, "key": delivery.key}

    async def exchange(self, delivery: Delivery, outer: Json, settings: Any) -> Json:
        """One connection for each try."""
        reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
        try:
            writer.write(json.dumps(dict(outer)).encode() + b"\n")
            answer: Json = json.loads(await reader.readline())
        except ValueError:
            raise Transient("it hung up") from None
        finally:
            writer.close()
        if answer["status"] == 503:
            raise Transient("it is busy", answer.get("retry_after"))
        if answer["status"] == 400:
            raise Permanent(f"it will not have {outer['greeting']}")
        return answer

    def inner(self, delivery: Delivery, response: Json) -> Json:
        """Return the response."""
        return {"said": response["text"]}

    async def close(self) -> None:
        """Nothing is kept open."""
