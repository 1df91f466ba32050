"""Writes options.json: the options of commands whose options are settings.

`python -m scripts.cli.settings_options` does; a test compares the file with the settings.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from pydantic_settings import BaseSettings, CliSettingsSource

from actors.settings import Settings
from scripts.cli.settings_help import FILE
from scripts.web.settings import DashboardSettings
from transport.gateway.settings import GatewaySettings

SETTINGS: dict[str, type[BaseSettings]] = {
    "serve": Settings,
    "gateway": GatewaySettings,
    "dashboard": DashboardSettings,
}
"""The settings that each command reads."""


def options() -> str:
    """Return what options.json should hold."""
    described = {name: _described(settings) for name, settings in SETTINGS.items()}
    return json.dumps(described, ensure_ascii=False, indent=1) + "\n"


def _described(settings: type[BaseSettings]) -> dict[str, Any]:
    source: CliSettingsSource[argparse.ArgumentParser] = CliSettingsSource(settings)
    parser = source.root_parser
    _, *given = parser._actions  # --help is the first
    return {
        "description": parser.description,
        "options": {action.option_strings[0]: _option(action) for action in given},
    }


def _option(action: argparse.Action) -> dict[str, Any]:
    if isinstance(action, argparse.BooleanOptionalAction):
        return {"help": action.help}
    is_list = isinstance(action, argparse._AppendAction)
    return {
        "metavar": action.metavar,
        "action": "append" if is_list else "store",
        "help": action.help,
    }


if __name__ == "__main__":
    FILE.write_text(options(), encoding="utf-8")
