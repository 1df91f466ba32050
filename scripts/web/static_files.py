"""The files that pages load: style sheet, scripts, icon; read once, from this package alone."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from scripts.web.web_response import Document
from transport.gateway.envelope import problem
from transport.gateway.statuses import HttpRefusal
from transport.message import NOT_FOUND

FOLDER: Final = Path(__file__).with_name("static")

KINDS: Final = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


class StaticFiles:
    """Every file of the folder that browsers load."""

    def __init__(self) -> None:
        self._files = {
            f"/static/{file.relative_to(FOLDER).as_posix()}": _document(file)
            for file in FOLDER.rglob("*")
            if file.suffix in KINDS
        }

    def find(self, path: str) -> Document:
        """Return a file; HttpRefusal if there is none."""
        found = self._files.get(path)
        if found is None:
            raise HttpRefusal(problem(NOT_FOUND, "there is no such file"))
        return found


def _document(file: Path) -> Document:
    body = file.read_bytes()
    tag = f'"{sha256(body).hexdigest()[:16]}"'.encode()
    headers = ((b"cache-control", b"max-age=3600"), (b"etag", tag))
    return Document(body, kind=KINDS[file.suffix], headers=headers)
