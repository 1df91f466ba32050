"""What browsers load: libraries as their makers published them, with their licences."""

from __future__ import annotations

from hashlib import sha256

import pytest

from scripts.web.static_files import FOLDER
from tests.scripts.web.conftest import Person

VENDORED = {
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-sse.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
    "htmx.LICENSE": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
"""SHA-256 of the files of htmx.org 4.0.1 and uplot 1.6.32, as npm has them."""


def test_libraries_are_what_was_published() -> None:
    found = {
        each.name: sha256(each.read_bytes()).hexdigest() for each in (FOLDER / "vendor").iterdir()
    }
    assert found == VENDORED


@pytest.mark.parametrize(
    "name", ["dashboard.css", "dashboard.js", "vendor/htmx.min.js", "icon.svg"]
)
def test_a_file_is_served_as_what_it_is(admin: Person, name: str) -> None:
    answer = admin.get(f"/static/{name}")
    assert answer.content == (FOLDER / name).read_bytes()
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "vendor/htmx.LICENSE", "nothing.js"])
def test_nothing_else_is_served(admin: Person, name: str) -> None:
    assert admin.get(f"/static/{name}").status_code == 404
