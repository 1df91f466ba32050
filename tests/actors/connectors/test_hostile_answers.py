"""Whatever a peer answers is an answer, Transient or Permanent: of HTTP, S3 and SMTP, by real sockets.

Answers are made at random, the same ones in each run, from parts that have hurt clients, this one among them.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from actors.connectors.contract import Connector, Permanent, Transient
from actors.connectors.mail import MailConnector
from actors.connectors.outbound.http import MAX_RETRY_AFTER
from actors.connectors.storage import StorageConnector
from actors.connectors.webhook import WebhookConnector
from tests.actors.connectors.deliveries import LOOPBACK, deliver, delivery
from transport.codec import encode

ROUNDS = 100
"""Random answers of each kind."""

SECONDS = 0.05
"""Of one delivery: an answer that does not end is waited for no longer."""

SECRET = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
WEBHOOK = {"secrets": [SECRET]}
BUCKET = {"bucket": "files", "access_key": "a", "secret_key": "s"}
RELAY = {"host": "127.0.0.1", "tls": "none", "sender": "desk@acme.example"}
EVENT = {"type": "ticket.opened", "payload": {"id": 1}}
LETTER = {"to": ["ada@example.com"], "subject": "Engine", "text": "It works."}

LOCATIONS = (
    *(
        b"mailto:x",
        b"https:\\\\x",
        b"data:,",
        b"javascript:alert(1)",
        b"http://xn--/",
        b"http://[::1",
    ),
    *(
        b"http://",
        b"//",
        b":::",
        b"http://a:b/",
        b"http://a:99999999/",
        b"http://%zz/",
        b"",
        b"\xff\xfe",
    ),
    *(b"http://" + b"a" * 64 + b".example/", b"http://a b/", b"/\x7f", b"http://169.254.169.254/"),
    *(
        "http://\u200b/".encode(),
        "http://e\u0301.example/".encode(),
        b"http://a@b@c/",
        b"a" * 60_000,
    ),
)
STATUSES = (
    *(
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200",
        b"HTTP/1.1 204 No",
        b"HTTP/1.1 304 Same",
        b"HTTP/1.1 302 Found",
    ),
    *(
        b"HTTP/1.1 101 Switching",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 503 Busy",
        b"HTTP/1.1 410 Gone",
    ),
    *(
        b"HTTP/1.1 999 \xff",
        b"HTTP/1.1 000 X",
        b"HTTP/1.1 20 OK",
        b"HTTP/2.0 200 OK",
        b"ICY 200 OK",
        b"\x00",
    ),
    *(
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK",
        b"",
        b"GET / HTTP/1.1",
        b"HTTP/1.1 307 T",
    ),
)
HEADERS = (
    *(
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: 2",
        b"Content-Length: x",
    ),
    *(
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Content-Encoding: gzip",
        b": x",
        b"A",
        b"\x00: y",
    ),
    *(
        b"Content-Type: \xed\xa0\x80",
        b"Content-Type: a/b; charset=\xff",
        b"X-Request-Id: \xe2\x82\xac\x1b[31m",
    ),
    *(
        b"X-Request-Id: a\x01b",
        b"X-Request-Id: a\x00b",
        b"ETag: \xff\xfe",
        b"A: " + b"x" * 70_000,
        b" folded: x",
    ),
    *(
        b"Set-Cookie: a=b; expires=Thu, 99 Foo 99999 99:99:99 GMT; domain=..",
        b"Connection: upgrade",
        b"Upgrade: x",
    ),
    *(
        b"Retry-After: 1e400",
        b"Retry-After: -1",
        b"Retry-After: nan",
        b"Retry-After: Mon, 1 Jan 1 0:0:0 -9999",
    ),
    *(
        b"Retry-After: Fri, 31 Dec 9999 23:59:59 -2359",
        b"Retry-After: " + b"9" * 5000,
        b"Trailer: x",
    ),
    *(
        b"Retry-After: Thu, 01 Jan 1970 00:00:00 +99999999999999",
        b"Alt-Svc: h3=x",
        b"A: b\r\n" * 300 + b"C: d",
    ),
)
BODIES = (
    *(
        b"",
        b"ok",
        b"a\x00b",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xff\xfe",
        b"ZZZ\r\n",
        b"ffffffffffffffff\r\nx",
        b"\x1f\x8b\x08",
    ),
    *(
        b"2\r\nok\r\n0\r\n\r\n",
        b"2\r\nok\r\n0\r\nA\r\n\r\n",
        b"-1\r\n",
        b"2;x=\xff\r\nokx",
        b"<Code>\x00</Code>",
    ),
    *(b"x" * 70_000, b"<Error><Code>NoSuchKey</Code></Error>", b"HTTP/1.1 200 OK\r\n\r\n"),
)
GREETINGS = (
    *(
        b"220 hi",
        b"220",
        b"",
        b"22",
        b"abc",
        b"999999 x",
        b"-1 x",
        b"+20 x",
        b"2_0 x",
        b" 20 x",
        b"554 no",
        b"421 no",
    ),
    *(
        "\uff12\uff12\uff10 x".encode(),
        b"220 \xff\xfe",
        b"220-a\r\n221 b",
        b"220-a\r\n" * 2000 + b"220 b",
    ),
    *(
        b"\x00" * 50,
        b"220 " + b"x" * 100_000,
        b"220 a\rb",
        b"250 ok",
        b"354 go",
        b"100 x",
        b"550 a\x00b",
        b"451 x",
    ),
)
EXTENSIONS = (
    *(
        b"250-hi\r\n250 SIZE abc",
        b"250-hi\r\n250 SIZE 99999999999999999999999",
        b"250-hi\r\n250 AUTH \xff",
        b"250 ",
    ),
    *(
        b"250-=\r\n250 ===",
        b"250-hi\r\n250-AUTH\r\n250 STARTTLS",
        b"250-" + b"x" * 70_000 + b"\r\n250 x",
        b"500 no",
    ),
    *(
        b"250-hi\r\n250 AUTH PLAIN LOGIN CRAM-MD5",
        b"250-hi\r\n251 SIZE",
        b"250-hi\r\n250 \x00",
        b"334 \xff",
        b"334 !",
    ),
)

Answer = Callable[[random.Random], bytes]


def http_answer(chance: random.Random) -> bytes:
    """A status, some headers and a body, each of them in its place, or cut off somewhere."""
    headers = chance.sample(HEADERS, chance.randrange(4))
    if chance.random() < 0.4:
        headers.append(b"Location: " + chance.choice(LOCATIONS))
    head = chance.choice([b"\r\n", b"\r\n", b"\n"]).join([chance.choice(STATUSES), *headers])
    whole = head + b"\r\n\r\n" + chance.choice(BODIES)
    return whole[: chance.randrange(len(whole) + 1)] if chance.random() < 0.2 else whole


def smtp_answer(chance: random.Random) -> bytes:
    """To whatever was said; most often what lets the conversation go on."""
    usual = [b"250 ok", b"250 ok", b"250-hi\r\n250 SIZE 1000000", b"354 go", b"235 in", b"334 "]
    odd = chance.choice([GREETINGS, EXTENSIONS])
    line = chance.choice(usual) if chance.random() < 0.7 else chance.choice(odd)
    return line + chance.choice([b"\r\n", b"\r\n", b"\r\n", b"\n", b""])


@asynccontextmanager
async def peer(answer: Callable[[bytes], bytes], greeting: bytes = b"") -> AsyncIterator[int]:
    """Answers what it is sent, each piece with something, and closes on b""; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(greeting)
            while asked := await reader.read(65536):
                said = answer(asked)
                writer.write(said)
                await writer.drain()
                if not said or asked.startswith((b"POST", b"GET", b"PUT", b"DELETE")):
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def outcome(
    connector: Connector, operation: str, params: Mapping[str, Any], settings: Mapping[str, Any]
) -> str:
    """Of one delivery: `done`, Transient or Permanent. What comes back, or is said, fits the wire."""
    try:
        result = await deliver(connector, delivery(operation, seconds=SECONDS), params, settings)
    except (Transient, Permanent) as problem:
        asked = getattr(problem, "retry_after_s", None) or 0.0
        encode({"message": str(problem), "seconds": asked}, "msgpack")
        return type(problem).__name__ if 0 <= asked <= MAX_RETRY_AFTER else f"asks for {asked} s"
    encode(result, "msgpack")
    return "done"


@pytest.mark.parametrize("seed", [1])
def test_of_http_nothing_else_comes_than_an_answer_transient_or_permanent(seed: int) -> None:
    chance, seen = random.Random(seed), Counter[str]()

    async def main() -> None:
        async with peer(lambda _: http_answer(chance)) as port:
            settings = {**WEBHOOK, "url": f"http://127.0.0.1:{port}/hook"}
            connector = WebhookConnector(LOOPBACK)
            for _ in range(ROUNDS):
                seen[await outcome(connector, "post", EVENT, settings)] += 1

    asyncio.run(main())
    assert set(seen) == {"done", "Transient", "Permanent"}


def test_of_s3_nothing_else_comes_either() -> None:
    chance, seen = random.Random(3), Counter[str]()
    asked = {"get": {}, "put": {"text": "x"}, "remove": {}}

    async def main() -> None:
        async with peer(lambda _: http_answer(chance)) as port:
            settings = {**BUCKET, "endpoint": f"http://127.0.0.1:{port}"}
            connector = StorageConnector(LOOPBACK)
            for _ in range(ROUNDS):
                operation = chance.choice(list(asked))
                params = {"key": "a", **asked[operation]}
                seen[await outcome(connector, operation, params, settings)] += 1

    asyncio.run(main())
    assert set(seen) == {"done", "Transient", "Permanent"}


def test_of_smtp_nothing_else_comes_either() -> None:
    chance, seen = random.Random(4), Counter[str]()

    async def main() -> None:
        connector = MailConnector(LOOPBACK)
        for _ in range(ROUNDS):
            greeting = chance.choice([b"220 hi", b"220 hi", chance.choice(GREETINGS)]) + b"\r\n"
            login = {"username": "desk", "password": "secret"} if chance.random() < 0.5 else {}
            async with peer(lambda _: smtp_answer(chance), greeting) as port:
                settings = {**RELAY, **login, "port": port}
                seen[await outcome(connector, "send", LETTER, settings)] += 1

    asyncio.run(main())
    assert {"Transient", "Permanent"} <= set(seen)


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_redirect_is_refused_wherever_it_leads(location: bytes) -> None:
    said = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"

    async def main() -> None:
        async with peer(lambda _: said) as port:
            settings = {**WEBHOOK, "url": f"http://127.0.0.1:{port}/hook"}
            got = await outcome(WebhookConnector(LOOPBACK), "post", EVENT, settings)
            assert got in ("Permanent", "Transient")

    asyncio.run(main())


def test_a_nul_in_an_answer_is_made_to_fit_the_wire() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\0b"

    async def main() -> None:
        async with peer(lambda _: said) as port:
            settings = {**WEBHOOK, "url": f"http://127.0.0.1:{port}/hook"}
            result = await deliver(WebhookConnector(LOOPBACK), delivery("post"), EVENT, settings)
            assert result["body"] == "a\ufffdb"

    asyncio.run(main())
