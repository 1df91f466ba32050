"""Every setting of the server, with its unit and default: from the environment, or a flag of `serve`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliApp,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as Unparsable

from actors.errors import SettingsError
from actors.host.program import DEMO_INDEX, as_typed, command, default_index
from transport.socket_file import absolute_endpoint

AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]
"""A path that means the same for as long as the process lives, whatever becomes of the current directory."""

Endpoint = Annotated[str, AfterValidator(absolute_endpoint)]

PREFIX = "TENANTRY_"

CLIENT_VARIABLES = frozenset({"PYTHON", "TOKEN", "ADMIN_TOKEN", "RELEASES", "RELEASE_PASSPHRASE"})
"""Of TENANTRY_…, what only the scripts and the clients read."""

COMPANION_PREFIXES = ("GATEWAY_", "DASHBOARD_")
"""Of TENANTRY_…, what only the gateway reads, or the dashboard; they have settings of their own."""

CLUSTER_VARIABLES = re.compile(r"(SERVICE|PORT)(_.*)?")
"""What Kubernetes sets in every container beside a service called tenantry: addresses, and no settings."""

MIN_MEMORY = 512 * 1024**2
"""Bytes of address space below which the code does not even load."""


def check_memory(most: int) -> int:
    """ValueError for a limit that no server fits."""
    if 0 < most < MIN_MEMORY:
        raise ValueError(f"a server needs {MIN_MEMORY} bytes at least; 0 is no limit")
    return most


MemoryLimit = Annotated[int, AfterValidator(check_memory)]

JSON_WORDS = frozenset({"true", "false", "null"})
"""Which the command line's lists would take for JSON, and which are names and texts here."""


class Rates(NamedTuple):
    """What one of each may use in a second, one second's worth at once; 0 for any amount."""

    token: float = 0.0
    """Requests."""
    tenant: float = 0.0
    """Requests, where the tenant's own limits do not say otherwise."""
    connection: float = 0.0
    """Requests."""
    refused_ms: float = 0.0
    """Milliseconds of the router for what is refused: of all strangers, and of each tenant's callers."""


UNLIMITED = Rates()

LOCAL_DEV = "local-dev"


class Settings(BaseSettings):
    """TENANTRY_<NAME> in the environment, or --<name> on the command line, which wins."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",
        frozen=True,
        cli_prog_name=command("serve"),
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # given by pydantic-settings
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # given by pydantic-settings
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # given by pydantic-settings
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment without what is the clients'."""
        assert isinstance(env_settings, EnvSettingsSource)
        theirs = {f"{PREFIX}{name}".lower() for name in CLIENT_VARIABLES}
        env_settings.env_vars = {
            name: value for name, value in env_settings.env_vars.items() if name not in theirs
        }
        return init_settings, env_settings

    data: AbsolutePath = Path("var")
    """Directory of all databases; made with mode 0700 if it is not there."""
    endpoint: Endpoint = "tcp://127.0.0.1:5570"
    """Data channel: where clients connect. Port 0 or * takes a free one. Beyond loopback only with CURVE."""
    admin_endpoint: Endpoint | None = None
    """Admin channel: by default ipc://DATA/admin.sock, for the server's user alone. Ports need CURVE."""
    http: int | None = Field(default=None, ge=0, le=65535)
    """Port on loopback for HTTP, for development: a gateway that ends with the server. See docs/http.md."""
    http_origins: list[str] = []
    """Origins whose pages may call that gateway, such as http://localhost:3000."""
    dashboard: int | None = Field(default=None, ge=0, le=65535)
    """Port on loopback for the web dashboard, which ends with the server, too. See docs/dashboard.md."""
    environment: str = LOCAL_DEV
    """Which function states are served; one of the index's environments."""
    security: Literal["curve", "none"] | None = None
    """curve: refuse to start without curve_keys. Hosted environments require it; others, none."""
    states: Literal["data", "index"] = "index"
    """Where moves are kept: data is DATA/states.json, and the default of all environments but local-dev."""
    serves: list[str] = []
    """States of functions that are served here; by default those of the index's environment."""
    testers: list[str] = []
    """States that testers are served in addition, where serves is given."""
    registry: AbsolutePath = Field(default_factory=default_index)
    """The index; `code` references resolve beside it. By default registry.toml in the current folder."""
    curve_keys: AbsolutePath | None = None
    """The server's CURVE key pair (*.key_secret), as scripts/keys server makes it; turns encryption on."""
    curve_clients: AbsolutePath | None = None
    """Directory of allowed client keys (*.key), read at start; without it every client key is accepted."""
    require_libinjection: bool = False
    """Refuse to start without libinjection (Debian: libmodsecurity3), the second engine of the screening."""
    secrets_key: AbsolutePath | None = None
    """Keys that encrypt what tenants set for connectors: by default DATA/secrets.key, made at first start."""
    outward_networks: list[str] = []
    """Networks that connectors may reach although they are not public, such as 10.1.0.0/16."""
    outward_plain: bool = False
    """Whether connectors' connections without TLS may leave the machine."""
    outward_ca: AbsolutePath | None = None
    """Certificates (PEM) of authorities that connectors trust in addition to the system's."""

    threads: int = Field(default=4, ge=1, le=64)
    """Threads on which tenants take their turns."""
    threads_most: int = Field(default=32, ge=1, le=512)
    """Threads there may be while functions block some of them."""
    resident: int = Field(default=1000, ge=1, le=100_000)
    """Tenants with an open database at a time, least recently used closed first; 3 descriptors each."""
    idle_seconds: float = Field(default=300.0, gt=0)
    """Seconds without a message after which a tenant's database is closed."""
    mailbox: int = Field(default=1000, ge=1)
    """Messages that may wait for one tenant, whose limits may say otherwise; further ones are refused."""
    drain_seconds: float = Field(default=10.0, ge=0)
    """Seconds that a stopping server gives to messages it has accepted."""

    log_tenants: bool = True
    """Whether each tenant's messages are logged (DATA/logs/tenants)."""
    log_time_zone: str = "UTC"
    """IANA name of the zone whose midnight ends a day's log file, such as Europe/Vienna."""
    log_days: int = Field(default=7, ge=1, le=3650)
    """Days that are over whose log files are kept, in addition to today's."""
    log_bytes: int = Field(default=100 * 1024**2, ge=0)
    """Bytes of lines in full in each tenant's log a day, summed up beyond; 0 for any. See docs/logs.md."""
    log_hide: list[str] = []
    """Names of fields, in addition to those that look secret by themselves, that no log may show."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Loopback port for Prometheus (http://127.0.0.1:PORT/metrics); none where it is not set."""

    token_rate: float = Field(default=1000.0, ge=0)
    """Requests a second under one token, and at once; 0 for any number. See docs/operations.md."""
    tenant_rate: float = Field(default=2000.0, ge=0)
    """Requests a second of one tenant, whose own limits may say otherwise; 0 for any number."""
    connection_rate: float = Field(default=10_000.0, ge=0)
    """Requests a second on one connection; 0 for any number."""
    stranger_ms: float = Field(default=100.0, ge=0)
    """Milliseconds a second for what is refused: of all without a token, and of each tenant; 0 for any."""

    body_bytes: int = Field(default=256 * 1024, ge=1024, le=16 * 1024 * 1024)
    """Largest request body, in bytes."""
    database_bytes: int = Field(default=1024**3, ge=1024 * 1024)
    """Largest tenant database, in bytes, where a tenant's own limits do not say otherwise."""
    cache_bytes: int = Field(default=512 * 1024**2, ge=0)
    """Memory of all open databases together, in bytes, past which no cache grows; 0 for no bound."""
    memory_bytes: MemoryLimit = Field(default=8 * 1024**3, ge=0)
    """Address space the process may use, in bytes (RLIMIT_AS); 0 for no limit. See docs/operations.md."""

    watch: bool = False
    """In local-dev: serve what is edited at once, and say in replies what was wrong with a function."""
    demo: bool = False
    """Create the tenants acme and globex with data, print lines to paste, write demo.json."""
    tenant: list[str] = []
    """Create this tenant if it is not there and print an owner's token for it, once; may be repeated."""
    adopt: bool = False
    """Serve data that was served with another index or environment, and note the new ones; for one start."""
    accept_audit: bool = False
    """Go on from an audit log that lacks what was written to it, and record that; for one start."""
    admin_token: bool = False
    """Leave a new token of the oldest developer admin in DATA/admin.token: for one that was lost."""

    @property
    def admin_address(self) -> str:
        """Where the admin channel listens."""
        return self.admin_endpoint or absolute_endpoint(f"ipc://{self.data / 'admin.sock'}")

    @property
    def rates(self) -> Rates:
        """What each sender may have of the data channel."""
        return Rates(self.token_rate, self.tenant_rate, self.connection_rate, self.stranger_ms)

    @property
    def secrets_file(self) -> Path:
        """Where the keys are that encrypt what tenants set for connectors."""
        return self.secrets_key or self.data / "secrets.key"


def read_settings(arguments: list[str]) -> Settings:
    """Settings from the environment and these command-line arguments; exits on --help and unknown flags."""
    try:
        settings = CliApp.run(Settings, cli_args=quote_json_words(arguments))
    except ValidationError as error:
        raise SettingsError("; ".join(_problem(one) for one in error.errors())) from None
    except Unparsable as error:
        raise SettingsError(
            f"{error}: in the environment a list is JSON, such as TENANTRY_TENANT='[\"acme\"]'"
        ) from None
    _reject_misspelt(os.environ)
    return with_an_index(settings)


def with_an_index(settings: Settings) -> Settings:
    """With the desk's index for --demo in a folder without one; SettingsError if there is none to serve."""
    if "registry" in settings.model_fields_set or settings.registry.is_file():
        return settings
    if settings.demo:
        return settings.model_copy(update={"registry": DEMO_INDEX})
    raise SettingsError(
        as_typed(
            f"there is no index {settings.registry}: scripts/new ACTION begins one in the current folder, "
            "--registry names another, --demo serves the desk that comes with it"
        )
    )


def _reject_misspelt(variables: Iterable[str]) -> None:
    """A setting under a wrong name would leave its default in force, and the default is permissive."""
    known = {name.upper() for name in Settings.model_fields}
    there = (name.upper().removeprefix(PREFIX) for name in variables if has_prefix(name))
    wrong = [
        f"{PREFIX}{name} is no setting{_suggestion(name, known)}"
        for name in sorted(there)
        if name not in known | CLIENT_VARIABLES
        and not name.startswith(COMPANION_PREFIXES)
        and not CLUSTER_VARIABLES.fullmatch(name)
    ]
    if wrong:
        raise SettingsError(f"{'; '.join(wrong)} (unset it, or see {command('serve')} --help)")


def _suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean x?`, or nothing where no setting comes near."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {PREFIX}{near[0]}?" if near else ""


def has_prefix(variable: str) -> bool:
    """Whether a variable is taken for a setting; as pydantic-settings does, whatever its case."""
    return variable.upper().startswith(PREFIX)


def quote_json_words(arguments: list[str]) -> list[str]:
    """The arguments with `--tenant true` and the like quoted, so that it is a tenant called true."""
    flags = {
        f"--{name.replace('_', '-')}"
        for name, field in Settings.model_fields.items()
        if field.annotation == list[str]
    }
    texts: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        flag, equals, value = argument.partition("=")
        if equals and flag in flags:
            texts.append(f"{flag}={_quoted(value)}")
        else:
            texts.append(_quoted(argument) if before in flags else argument)
    return texts


def _quoted(value: str) -> str:
    return ",".join(f'"{each}"' if each in JSON_WORDS else each for each in value.split(","))


def _problem(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    return f"TENANTRY_{name.upper()} (--{name.replace('_', '-')}): {error['msg']}"
