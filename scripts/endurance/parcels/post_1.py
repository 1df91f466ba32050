"""Version 1 of the connector post: parcels to the peer of a trial, over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

from actors.connectors.contract import Delivery, Outer
from actors.connectors.outbound.boundary import Boundary
from actors.connectors.outbound.http import Http, Request, refuse

PATIENCE: Final = 5.0
"""Seconds for one call of the peer."""


class Post:
    """`post.deliver`, `post.collect`."""

    def __init__(self, boundary: Boundary) -> None:
        self._http = Http(boundary)

    def outer(self, delivery: Delivery, params: Mapping[str, Any], settings: Any) -> Outer:  # noqa: ARG002 - as every connector
        """The parcel, and the key by which the peer knows it again."""
        return {"key": delivery.key, "tenant": delivery.tenant, **params}

    async def exchange(self, delivery: Delivery, outer: Outer, settings: Any) -> Outer:
        """Hand it over; a peer that fails answers 503, which is transient."""
        body = json.dumps(dict(outer)).encode()
        request = Request("POST", settings.url, {"content-type": "application/json"}, body)
        response = await self._http.exchange(request, delivery, PATIENCE)
        refuse("the peer", response, time.time())
        return {"receipt": response.body.decode()}

    def inner(self, delivery: Delivery, response: Outer) -> dict[str, Any]:  # noqa: ARG002 - as every connector
        """The receipt."""
        return dict(response)

    async def close(self) -> None:
        """Nothing is held open."""
