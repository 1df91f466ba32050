"""Trials and measurements that run in the process of their test, with servers that start quickly."""

from __future__ import annotations

from typing import IO

import pytest

from scripts.benchmark import child
from scripts.benchmark.child import Command, Process
from tests.child import fork_server
from tests.fork_server import Request


@pytest.fixture
def forked_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that a trial in this process starts are forked from one with the engine imported."""

    def launch(command: Command, errors: IO[str]) -> Process:
        request = Request(command.module, command.arguments, command.environment)
        if request.can_be_forked:
            return fork_server().start(request, errors.fileno())
        return fresh(command, errors)

    fresh = child.launch
    monkeypatch.setattr(child, "launch", launch)
