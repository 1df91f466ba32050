"""What anyone who writes functions sees of a defect in a test of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.contract import Permanent, Transient
from actors.errors import SettingsError
from actors.testing import Trial
from tests.actors.servers import INDEX

TEST = """
import sys
from pathlib import Path
from actors.testing import Trial

with Trial(Path(sys.argv[1]), Path(sys.argv[2])) as trial:
    print(trial.system.local.issue_token("trial", "member", "another").text)
    print(trial.request("trouble.make", {"kind": "fail"}))
"""

ACTION = """
[actions.answer]
summary = "Answer."
access  = "member"
effect  = "read"
result.properties.number = { type = "integer" }
"""

VERSION = """
[[actions.answer.versions]]
version = {number}
state   = "{state}"
code    = "answers:answer_{number}"
"""

STATES = {1: "reverted", 2: "release", 3: "under dev"}

CODE = "".join(
    f"def answer_{number}(ctx, params):\n    return {{'number': {number}}}\n" for number in STATES
)


def test_a_defect_is_logged_as_a_server_logs_it(tmp_path: Path) -> None:
    """With its stack, in one line; without what the frames hold, the caller's token among it."""
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", TEST, INDEX, tmp_path],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "internal" in ended.stdout
    failures = [line for line in ended.stderr.splitlines() if "secret detail of the defect" in line]
    assert len(failures) == 1
    assert "tnt_" not in ended.stderr
    assert len(ended.stderr.splitlines()) < 10, ended.stderr


def test_a_trial_serves_the_version_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "answers.py").write_text(CODE)
    index = tmp_path / "registry.toml"
    index.write_text(
        ACTION + "".join(VERSION.format(number=each, state=STATES[each]) for each in STATES)
    )
    before = index.read_bytes()
    for number in STATES:
        with Trial(index, tmp_path / str(number), versions={"answer": number}) as trial:
            reply = trial.request("answer")
            assert (reply.result, reply.meta["version"]) == ({"number": number}, number)
    assert index.read_bytes() == before
    with pytest.raises(SettingsError, match="has no version 9 of answer"):
        Trial(index, tmp_path / "9", versions={"answer": 9})


SHOP = """
[connectors.mail]
use = "mail"

[actions."orders.confirm"]
summary    = "Confirm an order by mail."
access     = "member"
effect     = "write"
connectors = ["mail.send"]
params.properties.to = { type = "string", format = "email", maxLength = 254 }
params.required      = ["to"]
result.properties.at      = { type = "string" }
result.properties.tenant  = { type = "string" }
result.properties.message = { type = "string" }
[[actions."orders.confirm".versions]]
version = 1
state   = "release"
code    = "orders:confirm"
"""

ORDERS = """
async def confirm(ctx, params):
    mail = {"to": [params.to], "subject": "Your order", "text": "It is on its way."}
    sent = await ctx.call("mail.send", **mail)
    return {"at": ctx.now.isoformat(), "tenant": ctx.tenant, "message": sent.message_id}
"""

NOON = datetime(2030, 2, 28, 12, tzinfo=UTC)

MAIL = {"to": "ada@example.com"}


class Post:
    """A mail service of the test's."""

    def __init__(self, *failures: Exception) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.failures = list(failures)

    def __call__(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.failures:
            raise self.failures.pop()
        self.sent.append({"operation": operation, **params})
        return {"message_id": f"<{len(self.sent)}@example.com>", "refused": []}


@pytest.fixture(scope="module")
def post() -> Post:
    return Post()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, post: Post) -> Iterator[Trial]:
    """One server for all this; its time stands still."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "registry.toml").write_text(SHOP)
    (folder / "orders.py").write_text(ORDERS)
    with Trial(folder / "registry.toml", folder, now=NOON, answers={"mail": post}) as trial:
        yield trial


def test_time_stands_still_until_the_test_moves_it(shop: Trial) -> None:
    first, second = (shop.call("orders.confirm", MAIL)["at"] for _ in range(2))
    assert first == second == NOON.isoformat()
    shop.advance(timedelta(days=1))
    assert shop.call("orders.confirm", MAIL)["at"] == "2030-03-01T12:00:00+00:00"
    shop.advance(timedelta(days=-1))


def test_a_function_of_the_tests_answers_for_the_service(shop: Trial, post: Post) -> None:
    done = shop.call("orders.confirm", MAIL)
    assert done["message"] == f"<{len(post.sent)}@example.com>"
    assert post.sent[-1]["operation"] == "send"
    assert post.sent[-1]["to"] == ["ada@example.com"]


def test_a_service_that_fails_for_a_while_is_tried_again_without_waiting(
    shop: Trial, post: Post
) -> None:
    post.failures = [Transient("busy"), Transient("busy")]
    assert shop.call("orders.confirm", MAIL)["message"]
    assert post.failures == []


def test_a_service_that_says_no_fails_the_call(shop: Trial, post: Post) -> None:
    post.failures = [Permanent("no such relay")]
    refused = shop.request("orders.confirm", MAIL)
    assert refused.error is not None
    assert refused.error.code == "failed_precondition"
    assert "no such relay" in refused.error.message


def test_callers_of_several_tenants_with_roles_of_their_own(shop: Trial) -> None:
    ada, bob = shop.caller("engines"), shop.caller("looms", role="owner")
    assert ada.call("orders.confirm", MAIL)["tenant"] == "engines"
    assert bob.call("orders.confirm", MAIL)["tenant"] == "looms"
    assert shop.call("orders.confirm", MAIL)["tenant"] == "trial"


def test_what_a_failing_test_shows_of_a_trial_holds_no_token(shop: Trial) -> None:
    caller = shop.caller()
    shown = repr((shop, vars(shop), caller, vars(caller)))
    assert "tnt_" not in shown


def test_a_connector_that_the_index_does_not_have_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match="has no connector fax"),
        Trial(INDEX, tmp_path, answers={"fax": Post()}),
    ):
        pass
