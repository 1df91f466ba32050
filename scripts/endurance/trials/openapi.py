"""Requests that openapi.json allows, or just does not: no 500, and no answer that it does not document."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgpack
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode, SerializationContext
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from scripts.benchmark.peers import HERE
from scripts.endurance.desk import own_desk
from scripts.endurance.server import Installation, Server
from scripts.endurance.verdict import Report

TENANT: Final = "acme"
CHECKS: Final = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DEFECT: Final = 500
"""Of `internal`; 503 and 504 say that something is away or takes too long, and are answers as any other."""
NO_MSGPACK: Final = b"\xc1"
"""What stands for a value that msgpack has no form for."""
PLAIN: Final = "[!-~]{1,40}"
"""In the place of patterns for which no texts can be made: the server refuses some of these."""
SHOWN: Final = 3

SomeCase = Case[Any]
Operation = APIOperation[Any, Any, Any, Any]


class Plan(NamedTuple):
    """How many."""

    right: int
    wrong: int
    operations: int
    seed: int


FULL: Final = Plan(right=100, wrong=100, operations=1_000, seed=1)
QUICK: Final = FULL._replace(right=5, wrong=5)

MEANINGS: Final = {
    "right": "requests to each operation that the document allows",
    "wrong": "requests to each operation that it does not allow",
    "operations": "operations at the most, from all over the document",
    "seed": "of the requests: the same one makes the same requests",
}


@schemathesis.serializer("application/msgpack")
def packed(_context: SerializationContext, value: Any) -> bytes:
    """Return a body in msgpack."""
    try:
        return bytes(msgpack.packb(value))
    except (OverflowError, TypeError, ValueError):
        return NO_MSGPACK


class Trial:
    """Sends requests of every operation, and checks the answers."""

    def __init__(self, address: str, token: str, plan: Plan) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}
        self._plan = plan
        self.answers: Counter[str] = Counter()
        """By whether the document allowed the request, and by status."""
        self.wrong: list[str] = []
        """Answers that should not have been, in words."""
        self._schema = schemathesis.openapi.from_dict(generable(self._document(address)))
        self._schema.config.update(base_url=address)

    def run(self, progress: Callable[[str], None]) -> int:
        """Send them all; how many operations there are."""
        operations = list(self._schema.get_all_operations())
        operations = operations[:: -(-len(operations) // self._plan.operations)]
        for each in operations:
            assert isinstance(each, Ok), each
            operation = each.ok()
            progress(operation.label)
            self._try(operation, GenerationMode.POSITIVE, self._plan.right)
            self._try(operation, GenerationMode.NEGATIVE, self._plan.wrong)
        return len(operations)

    def _document(self, address: str) -> Any:
        request = urllib.request.Request(f"{address}/openapi.json", headers=self._headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def _try(self, operation: Operation, mode: GenerationMode, most: int) -> None:
        """Send so many requests of one operation."""

        @seed(self._plan.seed)
        @settings(
            max_examples=most,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: SomeCase) -> None:
            self._send(case, is_right=mode is GenerationMode.POSITIVE)

        send()

    def _send(self, case: SomeCase, *, is_right: bool) -> None:
        if is_right and "tenant" in case.path_parameters:
            case.path_parameters["tenant"] = TENANT
        answer = case.call(headers=self._headers)
        self.answers[f"{'right' if is_right else 'wrong'} {answer.status_code}"] += 1
        if answer.status_code == DEFECT:
            self._note(case, answer.status_code, "a defect")
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failed:
            self._note(case, answer.status_code, *failed.exceptions)
        except Failure as failed:
            self._note(case, answer.status_code, failed)

    def _note(self, case: SomeCase, status: int, *failures: object) -> None:
        words = "; ".join(" ".join(str(each).split())[:300] for each in failures)
        self.wrong.append(f"{case.operation.label}: {status}: {words}")


def generable(value: Any) -> Any:
    """Return a document without the patterns of which no text can be made: those with classes of Unicode."""
    if isinstance(value, list):
        return [generable(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: PLAIN if key == "pattern" and "\\p" in str(each) else generable(each)
        for key, each in value.items()
    }


def run(plan: Plan, folder: Path, progress: Callable[[str], None]) -> Report:
    """A server, a gateway before it, and requests of a member; ChildFailed."""
    report = Report(
        f"openapi: {plan.right} requests that are allowed to each, {plan.wrong} that are not"
    )
    installation = Installation(folder, [TENANT], {}, own_desk(folder, '[intent]\nmost = "off"'))
    server = installation.start()
    try:
        arguments = ["--server", server.endpoint, "--port=0", "--address-rate=0"]
        gateway = Server("transport.gateway", arguments, folder / "gateway.log", HERE)
        try:
            gateway.wait_ready()
            trial = Trial(gateway.endpoint, installation.tokens[TENANT], plan)
            operations = trial.run(progress)
            lives = server.running and gateway.running
        finally:
            gateway.end()
    finally:
        server.end()
    report.figure("operations", f"{operations}")
    report.figure("answers", ", ".join(f"{what} {n}" for what, n in sorted(trial.answers.items())))
    report.promise("server and gateway go on", lives)
    report.promise(
        f"{len(trial.wrong)} answers that are no documented ones: {trial.wrong[:SHOWN]}",
        not trial.wrong,
    )
    report.promise(
        "some of what is allowed is served", trial.answers["right 200"] >= operations / 2
    )
    return report
