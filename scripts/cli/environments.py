"""The command line of scripts/environments: shows each environment, and what runs there."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.host.program import command, default_index

REFUSED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each environment; return the exit status."""
    given = make_parser().parse_args(arguments)
    # The arguments are read by now: this imports the engine.
    from actors.errors import TenantryError

    index = given.registry or default_index()
    try:
        found = shown(index.absolute())
    except TenantryError as error:
        print(f"{command('environments')}: {error}", file=sys.stderr)
        return REFUSED
    if given.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show(found)
    return 0


def shown(index: Path) -> list[dict[str, Any]]:
    """Return what there is to say of each environment of an index; raises SettingsError, IndexProblem."""
    from actors.environments import HOSTED, read_profiles
    from actors.index.parser import read_index

    profiles = read_profiles(index)
    return [
        {
            "environment": name,
            "serves": sorted(profiles.get(name, {}).get("serves", place.serves)),
            "security": "curve" if name.startswith(HOSTED) else _security(profiles.get(name, {})),
            **_running(Path(profiles.get(name, {}).get("data", "var")).absolute(), name),
        }
        for name, place in read_index(index).environments.items()
    ]


def show(found: list[dict[str, Any]]) -> None:
    """Print them as a table."""
    from scripts.cli.display import console_on, show_rows

    rows = [
        {
            "environment": each["environment"],
            "runs": each["endpoint"] or "no",
            "index": (each["digest"] or "")[:12],
            "security": each["security"],
            "serves": ", ".join(each["serves"]),
            "data": each["data"],
        }
        for each in found
    ]
    show_rows(console_on(sys.stdout), rows)


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog=command("environments"),
        description="Show each environment of an index: its data, what it serves, whether it runs.",
        epilog="exit status: 0 shown, 1 the index or environments.toml is unsound, 2 wrong usage",
    )
    parser.add_argument("--registry", type=Path, help="another index")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    return parser


def _security(profile: Any) -> str:
    return str(profile.get("security") or ("curve" if "curve_keys" in profile else "none"))


def _running(data: Path, environment: str) -> dict[str, Any]:
    """What runs on a data directory: nothing, or where it listens and which index it serves."""
    from actors.assembly.identity import find_serving

    found = find_serving(data)
    if found is None or found.environment != environment:
        return {"data": str(data), "endpoint": None, "digest": None, "pid": None, "since": None}
    noted = found._asdict()
    return {
        "data": str(data),
        **{key: noted[key] for key in ("endpoint", "digest", "pid", "since")},
    }


if __name__ == "__main__":
    sys.exit(main())
