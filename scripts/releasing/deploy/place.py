"""The environment that is deployed to: its data directory, and the server that runs on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from actors.assembly.identity import find_serving
from actors.environments import in_environment
from actors.errors import SettingsError
from actors.host.released import FOLDER, STATES
from actors.index.parser import read_index
from actors.settings import LOCAL_DEV, read_settings
from scripts.cli.params import UsageError
from scripts.cli.target import read_token
from scripts.releasing.problem import ReleaseProblem
from transport.client import Client
from transport.errors import CallError, NoAnswer

TIMEOUT = 120.0
"""Seconds for one action of the server; a swap waits for functions that run."""


class Place(NamedTuple):
    """One environment of an index on this machine."""

    environment: str
    data: Path
    endpoint: str
    """Of the admin channel."""
    served: frozenset[str]
    """States that the environment serves, to testers too."""

    @property
    def releases(self) -> Path:
        """The folder of releases."""
        return self.data / FOLDER

    @property
    def is_new(self) -> bool:
        """Whether no server has ever run on the data."""
        return not (self.data / STATES).exists()


def place_of(registry: Path, environment: str) -> Place:
    """Return the environment as its server finds it, from environments.toml and variables; ReleaseProblem."""
    if environment == LOCAL_DEV:
        raise ReleaseProblem(f"{LOCAL_DEV} serves the folder itself: nothing is deployed to it")
    try:
        index = read_index(registry)
        place = index.environment(environment)
        settings = in_environment(
            read_settings(["--registry", str(registry), "--environment", environment])
        )
    except SettingsError as error:
        raise ReleaseProblem(str(error)) from None
    if settings.states == "index":
        raise ReleaseProblem(
            f"{environment} keeps states of versions in the index, which a release brings along: leave out "
            "states (TENANTRY_STATES)"
        )
    served = frozenset(settings.serves or place.serves) | frozenset(
        settings.testers or place.testers
    )
    return Place(environment, settings.data.absolute(), settings.admin_address, served)


class Refused(ReleaseProblem):
    """The server has refused an action."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Server:
    """The running server of an environment, asked on its admin channel."""

    def __init__(self, place: Place, token: str) -> None:
        self._client = Client(place.endpoint, token=token, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def call(self, called: str, /, **params: Any) -> Mapping[str, Any]:
        """Return the result of an action; Refused, or ReleaseProblem without an answer."""
        try:
            return self._client.call(called, params)
        except NoAnswer as error:
            raise ReleaseProblem(f"{called}: the server does not answer: {error}") from None
        except CallError as error:
            more = "".join(f"\n  {field}: {problem}" for field, problem in error.details)
            raise Refused(error.code, f"{called}: {error.message}{more}") from None

    def offers(self, action: str) -> bool:
        """Return whether the server has this action."""
        described = self.call("system.describe", prefix=action, limit=1)
        return any(each["name"] == action for each in described["actions"])

    def states(self) -> dict[tuple[str, str, int], str]:
        """Return the state of every version, by kind, name and number."""
        found: dict[tuple[str, str, int], str] = {}
        after: str | None = ""
        while after is not None:
            page = self.call("functions.list", after=after, limit=200)
            for each in page["functions"]:
                for number, state in each["states"].items():
                    found[each["kind"], each["name"], int(number)] = state
            after = page["next"]
        return found

    def await_moves(self) -> None:
        """Return once the server has made every move that was due when this was called.

        A failing version is reported to the Registry before its failure is counted. The Registry answers in
        order, so what this asks for is answered after that move.
        """
        self.call("releases.list")

    def reload(self) -> None:
        """Have the server take in the index that the link leads to now."""
        self.call("functions.reload", digest=self.call("functions.diff")["digest"])


def server_of(place: Place) -> Server | None:
    """Return the server that runs on the data; None if none does. ReleaseProblem without a token."""
    serving = find_serving(place.data)
    if serving is None:
        return None
    if serving.environment != place.environment:
        raise ReleaseProblem(
            f"{place.data} is served as {serving.environment}, not as {place.environment}"
        )
    file = place.data / "admin.token"
    try:
        return Server(place._replace(endpoint=serving.admin), read_token(file))
    except (FileNotFoundError, UsageError) as error:
        raise ReleaseProblem(
            f"no token for the admin channel ({error}): run this as the server's user, or start the server "
            "once with --admin-token"
        ) from None
