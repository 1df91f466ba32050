"""Where versions stand, kept with the environment's data: no move and no checkout touches the other."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.errors import IndexProblem, SettingsError
from actors.registry.version_states import FILE
from tests.actors.developer_project import VERSION, Workshop
from tests.actors.servers import INDEX
from tests.child import Child
from tests.raw_client import RawClient

PART = """
[actions."{0}"]
summary = "Count the parts."
access  = "member"
effect  = "read"
params.properties.text = {{ type = "string", maxLength = 40 }}
[[actions."{0}".versions]]
version = 1
state   = "under user test"
code    = "parts:count"
"""

HERE: dict[str, Any] = {"environment": "hosted-live", "states": "data"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """An index with two versions of marks.add, the newer one ready to be released."""
    with Workshop(tmp_path) as workshop:
        workshop.write(2, "under user test")
        yield workshop


def git(shop: Workshop, *arguments: str) -> str:
    """What git says in the folder of the index."""
    names = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    command = ["git", *names, *arguments]
    done = subprocess.run(
        command, cwd=shop.index.parent, capture_output=True, text=True, check=True
    )
    return done.stdout


def kept(shop: Workshop) -> dict[str, Any]:
    """What the environment's file has."""
    content: dict[str, Any] = json.loads((shop.data / FILE).read_text())
    return content


def restarted(shop: Workshop, **settings: Any) -> tuple[int, str]:
    """Which version answers after a restart."""
    shop.serve(**{**HERE, **settings})
    return shop.answered_by()


def commit(shop: Workshop, words: str) -> None:
    """Commit all that is in the folder of the index."""
    git(shop, "init", "-q")
    git(shop, "add", ".")
    git(shop, "commit", "-qm", words)


class TestMoves:
    def test_one_leaves_the_checkout_clean_and_outlasts_a_restart(self, shop: Workshop) -> None:
        commit(shop, "first")
        shop.serve(**HERE)
        shop.move(2, "release", request="R-1")
        assert shop.answered_by() == (2, "newest")
        assert git(shop, "status", "--porcelain", "--", "*.toml", "*.py") == ""
        assert restarted(shop) == (2, "newest")
        version = shop.show()["versions"][0]
        assert (version["state"], version["request"]) == ("release", "R-1")

    def test_another_checkout_rolls_nothing_back(self, shop: Workshop) -> None:
        """Neither an older one nor one that says otherwise, read anew or at a start."""
        older = shop.index.read_text()
        shop.serve(**HERE)
        shop.move(2, "release")
        shop.edit('state   = "under user test"', 'state   = "reverted"')
        found = shop.ask("functions.diff")
        assert any(
            "the index says 'reverted'; here it stays 'release'" in e for e in found["changes"]
        )
        shop.reload()
        assert shop.answered_by() == (2, "newest")
        shop.index.write_text(older)
        assert restarted(shop) == (2, "newest")

    def test_an_older_commit_from_upstream_rolls_none_of_ten_functions_back(
        self, shop: Workshop, tmp_path: Path
    ) -> None:
        """What upstream goes back to is the index's text, and not where versions stand here."""
        names = [f"part{number}.count" for number in range(10)]
        with shop.index.open("a") as file:
            file.writelines(map(PART.format, names))
        (shop.index.parent / "parts.py").write_text("def count(ctx, params):\n    return {}\n")
        commit(shop, "ten functions")
        upstream = tmp_path / "upstream"
        git(shop, "clone", "-q", "--bare", ".", str(upstream))
        git(shop, "remote", "add", "origin", str(upstream))
        branch = git(shop, "branch", "--show-current").strip()
        shop.edit('summary = "', 'summary = "Now: ')
        commit(shop, "another summary")
        shop.serve(**HERE)
        for name in names:
            shop.ask("functions.move", function=name, version=1, to="release", why="it is wanted")
        git(shop, "fetch", "-q", "origin", branch)
        git(shop, "reset", "-q", "--hard", "FETCH_HEAD")
        shop.serve(**HERE)
        assert all(shop.call(name)["ok"] for name in names)
        shown = [shop.ask("functions.show", function=name)["versions"] for name in names]
        assert [version["state"] for (version,) in shown] == ["release"] * 10
        assert git(shop, "status", "--porcelain", "--", "*.toml", "*.py") == ""

    def test_states_of_today_are_taken_over(self, shop: Workshop) -> None:
        """Those that moves have written into the index, digests and schemas among them."""
        shop.serve(environment="hosted-live")
        shop.move(2, "release", request="R-2")
        assert "R-2" in shop.index.read_text()
        assert restarted(shop) == (2, "newest")
        entry = kept(shop)["versions"]["actions.marks.add"]["2"]
        assert (entry["state"], entry["request"]) == ("release", "R-2")
        assert len(entry["digest"]) == 64
        shop.move(2, "reverted")
        assert restarted(shop) == (1, "fallback after reverted")

    def test_a_version_that_is_new_brings_its_state_and_keeps_it(self, shop: Workshop) -> None:
        shop.serve(**HERE)
        shop.write(3, "release")
        shop.reload()
        assert shop.answered_by() == (3, "newest")
        shop.edit('version = 3\nstate   = "release"', 'version = 3\nstate   = "under dev"')
        assert restarted(shop) == (3, "newest")

    def test_which_requests_a_version_serves_is_the_index_s_to_say(self, shop: Workshop) -> None:
        """Also of one that has been seen, and is frozen."""
        shop.serve(**HERE)
        shop.move(2, "release")
        shop.edit("version = 2\n", 'version = 2\nrequests = ["R-1"]\n')
        changes = shop.ask("functions.diff")["changes"]
        assert changes[0] == "marks.add: version 2: requests none → R-1"
        shop.reload()
        assert shop.show()["versions"][0]["requests"] == ["R-1"]
        assert "requests" not in str(kept(shop)["versions"])
        assert restarted(shop) == (2, "newest")
        assert shop.show()["versions"][0]["requests"] == ["R-1"]

    def test_its_history_is_in_the_file(self, shop: Workshop) -> None:
        shop.serve(**HERE)
        shop.move(2, "release")
        first, *_, last = kept(shop)["history"]
        assert first["from"] is None
        assert (last["of"], last["version"]) == ("actions.marks.add", 2)
        assert (last["from"], last["to"]) == ("under user test", "release")

    def test_the_machine_takes_a_version_out_there(self, shop: Workshop) -> None:
        shop.write_code(2, 'raise RuntimeError("broken")')
        shop.serve(**HERE)
        shop.move(2, "release")
        text = shop.index.read_text()
        for _ in range(5):
            shop.call()
        assert shop.answered_by() == (1, "fallback after erroring")
        assert restarted(shop) == (1, "fallback after erroring")
        assert shop.index.read_text() == text

    def test_code_that_was_changed_after_its_release_is_refused(self, shop: Workshop) -> None:
        shop.serve(**HERE)
        shop.move(2, "release")
        shop.close()
        shop.write_code(2, "return {'id': 7}")
        with pytest.raises(Exception, match="has changed since version 2 left"):
            shop.serve(**HERE)

    def test_two_environments_of_one_checkout_stand_apart(
        self, shop: Workshop, tmp_path: Path
    ) -> None:
        shop.serve(**HERE)
        shop.move(2, "release")
        shop.close()
        shop.data = tmp_path / "other"
        assert restarted(shop) == (1, "newest")


class TestRefusing:
    def test_a_move_that_cannot_be_kept_changes_nothing(
        self, shop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.serve(**HERE)

        def fails(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("actors.registry.version_states.write_private", fails)
            refused = shop.refusal(
                "functions.move", function="marks.add", version=2, to="release", why="x"
            )
        assert refused.code == "unavailable"
        assert "so nothing was changed" in str(refused)
        assert shop.answered_by() == (1, "newest")
        shop.move(2, "release")
        assert shop.answered_by() == (2, "newest")

    @pytest.mark.parametrize(
        "damage",
        [lambda text: text[:-40], lambda text: text.replace("release", "reverted"), lambda _: ""],
    )
    def test_a_file_cut_short_or_edited(self, shop: Workshop, damage: Any) -> None:
        shop.serve(**HERE)
        shop.close()
        file = shop.data / FILE
        file.write_text(damage(file.read_text()))
        with pytest.raises(SettingsError, match=f"{FILE} is not as the server wrote it.*--adopt"):
            shop.serve(**HERE)
        assert restarted(shop, adopt=True) == (1, "newest")

    def test_a_file_of_another_environment(self, shop: Workshop, tmp_path: Path) -> None:
        shop.serve(**{**HERE, "environment": "hosted-test"})
        shop.close()
        with pytest.raises(
            SettingsError, match="has the states of hosted-test, and this is hosted-live"
        ):
            shop.serve(**HERE)

    def test_an_older_checkout_that_lacks_what_is_served(self, shop: Workshop) -> None:
        older = shop.index.read_text()
        shop.serve(**HERE)
        shop.write(3, "release")
        shop.reload()
        shop.close()
        shop.index.write_text(older)
        with pytest.raises(
            IndexProblem, match=r"does not describe version 3 of marks\.add, which is 'release'"
        ):
            shop.serve(**HERE)


def test_what_is_served_may_be_stated_by_the_environment(shop: Workshop) -> None:
    shop.serve(**HERE, serves=["release", "under user test"])
    assert shop.answered_by() == (2, "newest")


MOVES = ("potential release", "under dev")


def test_a_killed_server_has_made_each_move_that_it_has_answered(tmp_path: Path) -> None:
    index = Path(shutil.copytree(INDEX.parent, tmp_path / "index")) / INDEX.name
    (index.parent / "marks_add_2.py").write_text("def add(ctx, params):\n    return {'id': 2}\n")
    with index.open("a") as file:
        file.write(VERSION.format(number=2, state="under dev"))
    data = tmp_path / "data"
    command = ("--registry", index, "--environment", "local-qa", "--data", data)
    text = index.read_text()
    for _ in range(3):
        with Child(*command) as child:
            child.ready()
            token = (data / "admin.token").read_text().strip()
            with RawClient(f"ipc://{data}/admin.sock") as raw_client:
                shown = raw_client.ask(
                    token=token, action="functions.show", params={"function": "marks.add"}
                )
                now = shown["result"]["versions"][0]["state"]
                to = MOVES[now == MOVES[0]]
                params = {"function": "marks.add", "version": 2, "to": to, "why": "x"}
                reply = raw_client.ask(token=token, action="functions.move", params=params)
                assert reply["ok"], reply
                back = {**params, "to": MOVES[to == MOVES[0]]}
                raw_client.post(token=token, action="functions.move", params=back)
                child.process.kill()
                child.ended()
        content = json.loads((data / FILE).read_text())
        found = content["versions"]["actions.marks.add"]["2"]["state"]
        moves = [each["to"] for each in content["history"] if each["version"] == 2]
        assert to in moves[-2:]
        assert found == moves[-1]
    assert index.read_text() == text
