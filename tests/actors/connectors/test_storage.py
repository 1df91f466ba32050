"""Files against moto's S3 server, and against servers that only pretend to be one."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterator
from typing import Any

import httpx2
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.contract import Permanent, Transient
from actors.connectors.storage import MAX_KEY_BYTES, MAX_OBJECT_BYTES, StorageConnector, object_key
from tests.actors.connectors.bucket import KEYS, bucket, stored
from tests.actors.connectors.deliveries import LOOPBACK, deliver, delivery, run
from tests.actors.connectors.web_peer import OK, endlessly, saying, status, web_peer


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, Any]]:
    """Those of a tenant with a bucket."""
    with bucket() as made:
        yield made


def do(settings: dict[str, Any], operation: str, **params: Any) -> dict[str, Any]:
    """One operation of acme's."""
    return run(deliver(StorageConnector(LOOPBACK), delivery(operation), params, settings))


def test_what_was_put_is_got(settings: dict[str, Any]) -> None:
    """Bytes and type; text is UTF-8; again replaces it."""
    content = base64.b64encode(bytes(range(256))).decode()
    put = do(settings, "put", key="a/b.bin", content=content, content_type="image/x-own")
    got = do(settings, "get", key="a/b.bin")
    assert (got["content"], got["content_type"]) == (content, "image/x-own")
    assert (got["bytes"], got["etag"]) == (256, put["etag"])
    do(settings, "put", key="a/b.bin", text="Zoë")
    again = do(settings, "get", key="a/b.bin")
    assert base64.b64decode(again["content"]).decode() == "Zoë"
    assert again["content_type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "key", ["a b+c&d=e.txt", "Zoë/文 😀", "50%25.txt", "a#b?c", "..a/.b", "~(x)'!*"]
)
def test_every_key_comes_back_under_its_own_name(settings: dict[str, Any], key: str) -> None:
    """Below the tenant's name, where the settings have no prefix."""
    do(settings, "put", key=key, text=key)
    assert base64.b64decode(do(settings, "get", key=key)["content"]).decode() == key
    assert f"acme/{key}" in stored(settings)


def test_what_was_removed_is_gone(settings: dict[str, Any]) -> None:
    """And removing it again is no error: an answer may have been lost."""
    do(settings, "put", key="gone", text="")
    assert do(settings, "remove", key="gone") == {}
    assert do(settings, "remove", key="gone") == {}
    with pytest.raises(Permanent, match=r"NoSuchKey.* 404"):
        do(settings, "get", key="gone")


def test_tenants_who_share_a_bucket_do_not_meet(settings: dict[str, Any]) -> None:
    """Each is below its own prefix."""
    do(settings, "put", key="shared", text="acme's")
    with pytest.raises(Permanent, match="404"):
        do({**settings, "prefix": "globex"}, "get", key="shared")


def test_a_link_opens_one_object_for_a_while(settings: dict[str, Any]) -> None:
    """For reading or for writing; it is made without asking the service."""
    put = do(settings, "link", key="by/link", method="PUT", seconds=60)
    httpx2.put(put["url"], content=b"by link").raise_for_status()
    link = do(settings, "link", key="by/link")
    assert httpx2.get(link["url"]).content == b"by link"
    assert "X-Amz-Expires=900" in link["url"]
    assert KEYS["secret_key"] not in link["url"]
    for wrong in ({"method": "DELETE"}, {"seconds": 0}, {"seconds": 604_801}):
        with pytest.raises(Permanent, match="a link is for"):
            do(settings, "link", key="a", **wrong)


def test_what_is_too_large_is_refused(settings: dict[str, Any]) -> None:
    """On the way out before it is sent; on the way in while it comes."""
    with pytest.raises(Permanent, match="larger than"):
        do(settings, "put", key="large", text="x" * (MAX_OBJECT_BYTES + 1))

    async def main() -> None:
        async with web_peer(endlessly) as peer:
            endpoint = f"http://127.0.0.1:{peer.port}"
            connector = StorageConnector(LOOPBACK)
            with pytest.raises(Permanent, match="larger than"):
                await deliver(
                    connector, delivery("get"), {"key": "a"}, {**KEYS, "endpoint": endpoint}
                )

    run(main())


@pytest.mark.parametrize(
    ("answer", "problem", "words"),
    [
        (status("503 Slow Down", "retry-after: 7"), Transient, "503"),
        (status("403 No"), Permanent, "403"),
        (
            saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal"),
            Transient,
            "before all had come",
        ),
        (saying(b""), Transient, "may have got"),
    ],
)
def test_a_service_that_fails_says_whether_to_try_again(
    answer: Any, problem: type[Exception], words: str
) -> None:
    """Half an object is none."""

    async def main() -> None:
        async with web_peer(answer) as peer:
            given_ = {**KEYS, "endpoint": f"http://127.0.0.1:{peer.port}"}
            with pytest.raises(problem, match=words) as raised:
                await deliver(StorageConnector(LOOPBACK), delivery("get"), {"key": "a"}, given_)
        assert "X-Amz" not in str(raised.value)
        assert KEYS["secret_key"] not in str(raised.value)

    run(main())


def test_a_service_cannot_send_us_elsewhere() -> None:
    """A redirect to another server is refused, and that server receives nothing."""

    async def main() -> None:
        async with web_peer(saying(OK)) as other:
            async with web_peer(status("307 There", f"location: {other.url}")) as peer:
                given_ = {**KEYS, "endpoint": f"http://127.0.0.1:{peer.port}"}
                with pytest.raises(Permanent, match="redirects are not followed"):
                    await deliver(StorageConnector(LOOPBACK), delivery("get"), {"key": "a"}, given_)
            assert other.connections == 0

    run(main())


def test_the_environment_has_no_say(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither another endpoint, nor other credentials, nor a proxy."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "AKOTHER",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other-token",
        "AWS_REQUEST_PAYER": "true",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    url = do(settings, "link", key="a")["url"]
    assert url.startswith(f"{settings['endpoint']}/files/acme/a?")
    assert "AKACME" in url
    assert "oken" not in url
    assert "payer" not in url
    do(settings, "put", key="a", text="a")


@pytest.mark.parametrize("endpoint", ["http://10.0.0.1:9000", "http://169.254.169.254"])
def test_only_the_internet_is_asked(endpoint: str) -> None:
    """The endpoint is a target like any other."""
    with pytest.raises(Permanent, match="is refused"):
        do({**KEYS, "endpoint": endpoint}, "get", key="a")


@pytest.mark.parametrize(
    "endpoint", ["https://s3.example/path", "https://s3.example/?a=b", "s3://files"]
)
def test_an_endpoint_is_a_url_without_a_path(endpoint: str) -> None:
    """What is signed begins with it."""
    with pytest.raises(Permanent):
        do({**KEYS, "endpoint": endpoint}, "link", key="a")


def test_content_is_given_once(settings: dict[str, Any]) -> None:
    """As text or as base64."""
    for wrong in ({}, {"text": "a", "content": "YQ=="}, {"content": "?"}, {"text": "\ud800"}):
        with pytest.raises(Permanent):
            do(settings, "put", key="a", **wrong)
    with pytest.raises(Permanent, match="content_type"):
        do(settings, "put", key="a", text="a", content_type="a\r\nb: c")


AWKWARD = ["..", ".", "/", "//", "\\", "\0", "%2e%2e", "e\u0301"]
PARTS = st.one_of(st.text(max_size=8), st.sampled_from(AWKWARD))


@given(st.lists(PARTS, max_size=8).map("/".join), st.lists(PARTS, max_size=8).map("".join))
def test_every_key_is_below_its_prefix_and_has_one_spelling(joined: str, run_together: str) -> None:
    """Whatever it is made of; or it is refused."""
    for key in (joined, run_together):
        try:
            whole = object_key("acme", key)
        except Permanent:
            continue
        assert whole.startswith("acme/")
        assert whole == f"acme/{unicodedata.normalize('NFC', key)}"
        assert not {"", ".", ".."} & set(whole.split("/"))
        assert object_key("acme", whole.removeprefix("acme/")) == whole


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
@hypothesis.settings(deadline=None)
def test_what_is_signed_is_what_is_sent(key: str) -> None:
    """To the last byte of the path and the query: else the signature would not fit."""
    try:
        object_key("acme", key)
    except Permanent:
        return
    link = do({**KEYS, "endpoint": "https://s3.example"}, "link", key=key)["url"]
    sent = httpx2.URL(link).copy_with(host="1.1.1.1").raw_path.decode("ascii")
    assert sent == link.removeprefix("https://s3.example")


ELSEWHERE = ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\0", "a\\b", "x" * MAX_KEY_BYTES]


@pytest.mark.parametrize("key", ELSEWHERE)
def test_keys_that_lead_elsewhere_are_refused(key: str) -> None:
    """Absolute ones, and those with steps up."""
    with pytest.raises(Permanent):
        object_key("acme", key)
