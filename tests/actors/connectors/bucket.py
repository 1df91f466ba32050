"""A real S3-compatible server, moto's, with one bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx2

KEYS = {"bucket": "files", "access_key": "AKACME", "secret_key": "s3cret/of+acme="}


@contextmanager
def bucket() -> Iterator[dict[str, Any]]:
    """The settings of a tenant to whom it belongs."""
    from moto.server import ThreadedMotoServer  # half a second, of each worker

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    httpx2.put(f"{endpoint}/files").raise_for_status()
    yield {"endpoint": endpoint, **KEYS}
    server.stop()


def stored(settings: dict[str, Any]) -> list[str]:
    """The keys of the bucket, as another client of the service sees them."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=settings["endpoint"],
        region_name="us-east-1",
        aws_access_key_id=settings["access_key"],
        aws_secret_access_key=settings["secret_key"],
    )
    with closing(client):
        found = client.list_objects_v2(Bucket="files").get("Contents", [])
    return [each["Key"] for each in found]
