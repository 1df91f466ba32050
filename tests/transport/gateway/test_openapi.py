"""Answers over HTTP are those that openapi.json documents; scripts/endure openapi asks longer.

Asked by a process of its own: pytest would rewrite all of schemathesis, a plugin, each time it is imported.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.child import ROOT
from tests.transport.gateway.conftest import Web
from transport.gateway.reference.openapi import openapi as document_of

TRY = """
import sys
from scripts.endurance.trials.openapi import QUICK, Trial

trial = Trial(*sys.argv[1:], QUICK._replace(right=2, wrong=2, operations=6))
trial.run(lambda line: None)
print(trial.answers, *trial.wrong, sep="\\n")
"""

ENTRY = {
    "name": "parts.list",
    "summary": "List parts.",
    "channel": "data",
    "access": "member",
    "effect": "write",
    "params": {"type": "object"},
    "result": {"type": "object"},
}


def answered(address: str, token: str) -> tuple[str, list[str]]:
    """How many answers of each status there are, and those that are not documented."""
    command = [sys.executable, "-c", TRY, address, token]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    answers, *wrong = done.stdout.splitlines()
    return answers, wrong


@pytest.mark.timeout(160)
def test_every_answer_is_one_that_the_document_has(web: Web) -> None:
    answers, wrong = answered(web.gateway.address, web.server.tokens["acme"])
    assert wrong == []
    assert "'right 200'" in answers


class Handler(BaseHTTPRequestHandler):
    """The document, and answers of three kinds to calls, none of which is documented."""

    statuses = itertools.cycle((500, 418, 200))

    def do_GET(self) -> None:
        self._answer(200, document_of([ENTRY]))

    def do_POST(self) -> None:
        self._answer(next(self.statuses), {"ok": "perhaps"})

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def impostor() -> Iterator[str]:
    """What answers like no gateway does; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_another_answer_would_be_seen(impostor: str) -> None:
    said = "\n".join(answered(impostor, "token")[1])
    for words in ("500: a defect", "Undocumented status code", "violates schema"):
        assert words in said
