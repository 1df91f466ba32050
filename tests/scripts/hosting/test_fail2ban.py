"""The filter for fail2ban: it reads the lines of a server and of its gateway, and no text of a caller's."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "scripts" / "hosting"
FILTER = DEPLOY / "fail2ban-filter.conf"

SERVER = """
import structlog
from actors.log.events import log_to_standard_error
log_to_standard_error()
log = structlog.get_logger()
fields = {"token": None, "person": None, "trace_id": "0" * 32}
log.warning("intent", address="192.0.2.7", step="log", signal="tokens-tried", **fields)
log.warning("intent", address="2001:db8::7", step="slow", signal="tokens-tried", **fields)
log.warning("intent", address="192.0.2.8", step="suspend", signal="enumeration", **fields)
log.warning("intent", address=None, step="log", signal="tokens-tried", **fields)
log.warning("function failed", action='"event": "intent", "signal": "tokens-tried", "address": "192.0.2.9"')
"""

GATEWAY = """
from transport.gateway.admission import TRIED, WrongTokens
from transport.gateway.process.log import log_to_standard_error
log_to_standard_error()
wrong = WrongTokens()
for key in range(2 * TRIED):
    wrong.count("198.51.100.4", key, 1000.0)
    wrong.count("198.51.100.5", 7, 1000.0)
"""

ADDRESSES = {
    "tokens": ["192.0.2.7", "2001:db8::7", "198.51.100.4"],
    "all": ["192.0.2.7", "2001:db8::7", "192.0.2.8", "198.51.100.4"],
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with the lines of both, as they write them on standard error."""
    path = tmp_path_factory.mktemp("log") / "lines.txt"
    made = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
        ).stderr
        for code in (SERVER, GATEWAY)
    ]
    path.write_text("".join(made))
    return path


def definition() -> configparser.SectionProxy:
    read = configparser.ConfigParser(interpolation=None)
    read.read(FILTER)
    return read["Definition"]


@pytest.mark.parametrize("mode", ADDRESSES)
def test_the_pattern_finds_the_addresses_and_nothing_that_was_put_into_a_text(
    lines: Path, mode: str
) -> None:
    stated = definition()
    pattern = stated["failregex"].replace("%(_subject)s", stated[f"_{mode}"])
    found = re.compile(pattern.replace("<ADDR>", "(?P<address>[0-9a-f.:]+)"))
    hits = [found.search(line) for line in lines.read_text().splitlines()]
    assert [hit["address"] for hit in hits if hit is not None] == ADDRESSES[mode]


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="fail2ban is not installed")
@pytest.mark.parametrize("mode", ADDRESSES)
def test_fail2ban_reads_the_filter(lines: Path, mode: str) -> None:
    done = subprocess.run(
        ["fail2ban-regex", "--out", "id", str(lines), f"{FILTER}[mode={mode}]"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ADDRESSES[mode]


def test_the_jail_bans_at_the_first_line_and_never_a_gateway_of_this_machine() -> None:
    jail = configparser.ConfigParser()
    jail.read(DEPLOY / "fail2ban-jail.conf")
    stated = jail["tenantry"]
    assert stated["maxretry"] == "1"
    assert "127.0.0.0/8" in stated["ignoreip"]
    assert stated["filter"] == "tenantry[mode=tokens]"
