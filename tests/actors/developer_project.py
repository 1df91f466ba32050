"""A developer's workshop for tests: an index of his own beside its code, and servers that run it."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from actors.errors import ActionError
from tests.actors.servers import INDEX, request
from tests.conftest import Server
from tests.raw_client import Map, RawClient

VERSION = """
[[actions."marks.add".versions]]
version = {number}
state   = "{state}"
code    = "marks_add_{number}:add"
"""

CODE = '''"""Version {number} of marks.add."""

from functions import ADD


def add(ctx, params):
    """Says which version wrote it."""
    {body}
'''

BODY = 'return {{"id": ctx.db.scalar(ADD, {{"text": f"{number} {{params.text}}"}})}}'


class Workshop:
    """A copy of an index that the test may change, and at most one server at a time."""

    def __init__(self, directory: Path, index: Path = INDEX) -> None:
        self.data = directory / "data"
        self.index = Path(shutil.copytree(index.parent, directory / "index")) / index.name
        self._server: Server | None = None
        self._wire: RawClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # The index and its code

    def write(self, number: int, state: str = "under dev", body: str | None = None) -> None:
        """Add a version of marks.add to the index, by hand; `body` is what its function does."""
        self.write_code(number, body)
        with self.index.open("a") as file:
            file.write(VERSION.format(number=number, state=state))

    def write_code(self, number: int, body: str | None = None) -> None:
        """Write the file of a version anew."""
        text = CODE.format(number=number, body=body or BODY.format(number=number))
        self.code(number).write_text(text)

    def code(self, number: int) -> Path:
        """The file of a version."""
        return self.index.parent / f"marks_add_{number}.py"

    def edit(self, old: str, new: str) -> None:
        """Edit the index by hand."""
        text = self.index.read_text()
        assert old in text
        self.index.write_text(text.replace(old, new, 1))

    # Servers

    def serve(self, environment: str = "local-dev", **settings: Any) -> Server:
        """Stop the server that runs, and start one in this environment on the same data."""
        self.close()
        self._server = Server(self.data, registry=self.index, environment=environment, **settings)
        self._wire = RawClient(self._server.endpoint)
        return self._server

    @property
    def server(self) -> Server:
        """The one that runs."""
        assert self._server is not None
        return self._server

    @property
    def raw_client(self) -> RawClient:
        """A client's connection to it."""
        assert self._wire is not None
        return self._wire

    def close(self) -> None:
        """Stop it."""
        if self._wire is not None:
            self._wire.__exit__(None, None, None)
        if self._server is not None:
            self._server.stop()
        self._wire = self._server = None

    # Calls

    def call(self, action: str = "marks.add", tenant: str = "acme", /, **params: Any) -> Map:
        """A member's call; the reply."""
        given = params or {"text": "mark"}
        return self.raw_client.ask(**request(self.server, tenant, action, **given))

    def answered_by(self) -> tuple[int, str]:
        """Which version answers now, and for what reason."""
        meta = self.call()["meta"]
        return meta["version"], meta["reason"]

    def described(self, action: str = "marks.add") -> Map:
        """What system.describe tells a member of acme."""
        fields = request(self.server, "acme", "system.describe")
        reply = self.raw_client.ask(**{**fields, "params": {"action": action}})
        entry: Map = reply["result"]["actions"][0]
        return entry

    def ask(self, action: str, tenant: str | None = None, /, **params: Any) -> Map:
        """Ask on the admin channel, as the one who runs the process; raises the refusal."""
        return self.server.system.local.ask(action, tenant, **params)

    def move(self, version: int, to: str, **params: Any) -> Map:
        """Move a version of marks.add."""
        given = {"why": "the test says so", **params}
        return self.ask("functions.move", function="marks.add", version=version, to=to, **given)

    def reload(self) -> Map:
        """Take in what was edited, as it is shown."""
        return self.ask("functions.reload", digest=self.ask("functions.diff")["digest"])

    def show(self) -> Map:
        """All about marks.add."""
        return self.ask("functions.show", function="marks.add")

    def states(self) -> dict[int, str]:
        """Of its versions."""
        return {each["version"]: each["state"] for each in self.show()["versions"]}

    def refusal(self, action: str, /, **params: Any) -> ActionError:
        """What an order is refused with."""
        try:
            self.ask(action, **params)
        except ActionError as error:
            return error
        raise AssertionError(f"{action} was not refused")
