"""An outside service for trials: takes parcels over HTTP, honours keys, and fails a third of its calls.

Half of those it fails it has acted upon: the answer is lost. Each call is a line in its ledger, which tells
whether it acted: a key that it knows has no second effect.
"""

from __future__ import annotations

import argparse
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

FAILS: Final = 1 / 3
"""Share of the calls."""


class Office:
    """What it has done."""

    def __init__(self, ledger: Path, seed: int) -> None:
        self._ledger = ledger.open("a", buffering=1)
        self._known: set[str] = set()
        self._chance = random.Random(seed)
        self._one_at_a_time = threading.Lock()

    def take(self, call: dict[str, str]) -> bool:
        """Act or not, and write it down; whether the caller gets an answer."""
        with self._one_at_a_time:
            luck = self._chance.random()
            fails_before, fails_after = luck < FAILS / 2, luck < FAILS
            acts = not fails_before and call["key"] not in self._known
            if acts:
                self._known.add(call["key"])
            self._ledger.write(json.dumps({**call, "acted": acts, "came": not fails_before}) + "\n")
            return not fails_after


class Counter(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    office: Office

    def do_POST(self) -> None:
        """A parcel."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"thanks" if self.office.take(json.loads(body)) else b""
        self.send_response(200 if answer else 503)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: Any) -> None:
        """The ledger says it."""


def main() -> None:
    """Serve until killed; the port is on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    Counter.office = Office(options.ledger, options.seed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    print(f"ready {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
