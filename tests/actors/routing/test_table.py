"""Which version is served, and the table that says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.errors import CodeProblem, NotFound, SettingsError
from actors.index.entries import DEFAULT_ENVIRONMENTS, STATES, Action, Environment, Version
from actors.index.parser import built_in_index, read_index
from actors.index.selection import select
from actors.messages import Principal
from actors.registry.version_edit import edit_index
from actors.routing.table import RoutingTable, built_in_part
from actors.schema.schema import Schema

EMPTY = Schema.build("a.b.params", {})
PLACES = {place.name: place for place in DEFAULT_ENVIRONMENTS}


def action(*states: str) -> Action:
    """Versions 1, 2, … in these states."""
    versions = tuple(Version(n, state, "a:b", None) for n, state in enumerate(states, 1))
    return Action(
        "a.b",
        "S",
        "member",
        None,
        None,
        "data",
        "read",
        (),
        "",
        EMPTY,
        EMPTY,
        tuple(reversed(versions)),
    )


def decided(place: str, *states: str, tester: bool = False) -> tuple[int, str]:
    decision = select(action(*states), PLACES[place], tester)
    return decision.version.number if decision.version else 0, decision.reason


def model(states: tuple[str, ...], place: Environment, tester: bool) -> tuple[int, str]:
    """The rules of docs/index.md, said once more."""
    if not states:
        return 0, "dummy" if "dummy" in place.serves else "none served"
    here = place.serves | (place.testers if tester else frozenset())
    served = [n for n, state in enumerate(states, 1) if state in here]
    if not served:
        return len(states), "none served"
    chosen = max(served, key=lambda n: (states[n - 1] != "erroring", n))
    if states[chosen - 1] not in place.serves:
        return chosen, "tester"
    bad = [state for state in states[chosen:] if state in ("erroring", "reverted")]
    plain = "dummy" if states[chosen - 1] == "dummy" else "newest"
    return chosen, f"fallback after {bad[-1]}" if bad else plain


STATE_LISTS = st.lists(st.sampled_from(STATES), max_size=6).map(tuple)
ENVIRONMENTS = st.sampled_from(DEFAULT_ENVIRONMENTS) | st.builds(
    Environment,
    st.just("made-up"),
    st.frozensets(st.sampled_from(STATES)),
    st.frozensets(st.sampled_from(STATES)),
)


@given(STATE_LISTS, ENVIRONMENTS, st.booleans())
def test_serving_follows_the_model(
    states: tuple[str, ...], place: Environment, tester: bool
) -> None:
    """Any states, any environment, tester or not."""
    decision = select(action(*states), place, tester)
    number = decision.version.number if decision.version else 0
    assert (number, decision.reason) == model(states, place, tester)


class TestServing:
    """The table of docs/index.md, line by line."""

    def test_the_newest_served_version_wins(self) -> None:
        assert decided("local-dev", "release", "under dev") == (2, "newest")
        assert decided("hosted-live", "release", "release", "under dev") == (2, "newest")

    def test_erroring_is_served_in_local_dev_only_when_nothing_else_is_there(self) -> None:
        assert decided("local-dev", "erroring") == (1, "newest")
        assert decided("local-dev", "release", "erroring") == (1, "fallback after erroring")
        assert decided("local-test", "erroring") == (1, "none served")

    def test_reverted_is_served_nowhere(self) -> None:
        for name in PLACES:
            assert decided(name, "reverted") == (1, "none served")
            assert decided(name, "release", "reverted") == (1, "fallback after reverted")

    def test_an_action_without_versions_is_a_dummy_where_dummies_are_served(self) -> None:
        assert decided("local-dev") == (0, "dummy")
        assert decided("local-test") == (0, "dummy")
        for name in ("local-qa", "hosted-test", "hosted-live"):
            assert decided(name) == (0, "none served")

    def test_testers_get_what_is_under_user_test_in_hosted_live(self) -> None:
        states = ("release", "under user test")
        assert decided("hosted-live", *states) == (1, "newest")
        assert decided("hosted-live", *states, tester=True) == (2, "tester")
        assert decided("hosted-live", *reversed(states), tester=True) == (2, "newest")

    def test_what_is_under_dev_stays_in_local_dev(self) -> None:
        for name in set(PLACES) - {"local-dev"}:
            assert decided(name, "under dev") == (1, "none served")


INDEX = """
[actions."contacts.add"]
summary = "S"
access = "owner"
effect = "write"
result.properties.id = { type = "integer" }
[[actions."contacts.add".versions]]
version = 1
state = "release"
code = "desk:add"
[[actions."contacts.add".versions]]
version = 2
state = "under dev"
code = "desk:add_better"

[actions."contacts.merge"]
summary = "S"
access = "member"
effect = "read"
channel = "admin"
result.properties.id = { type = "integer" }

[actions."contacts.open"]
summary = "S"
access = "public"
effect = "read"
[[actions."contacts.open".versions]]
version = 1
state = "under dev"
code = "desk:missing"
"""


class TestTable:
    """A table built from a file and its code."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """An index and its code."""
        (tmp_path / "index.toml").write_text(INDEX)
        (tmp_path / "desk.py").write_text("def add(ctx, params): return {'id': 1}\n")
        return tmp_path / "index.toml"

    def test_a_route_has_all_that_serving_needs(self, path: Path) -> None:
        route = RoutingTable.build(read_index(path), "hosted-live").find("contacts.add")
        assert route.function is not None
        assert route.function(None, None) == {"id": 1}
        assert (route.writes, route.rule.channel) == (True, "data")
        assert route.rule.allowed == {"owner", "admin owner", "super admin"}
        assert route.meta == {"version": 1, "state": "release", "reason": "newest"}
        assert route.example is None

    def test_a_dummy_has_an_example_and_no_function(self, path: Path) -> None:
        path.write_text(
            INDEX.partition('[actions."contacts.open"]')[0].replace("add_better", "add")
        )
        route = RoutingTable.build(read_index(path), "local-dev").find("contacts.merge")
        assert route.function is None
        assert route.example == {"id": 1}
        assert (route.writes, route.rule.channel) == (False, "admin")
        assert route.meta == {"version": 0, "state": "dummy", "reason": "dummy"}

    def test_where_nothing_is_served_there_is_neither(self, path: Path) -> None:
        table = RoutingTable.build(read_index(path), "hosted-live")
        for name, state in (("contacts.open", "under dev"), ("contacts.merge", "dummy")):
            route = table.find(name)
            assert (route.function, route.example) == (None, None)
            assert (route.state, route.reason) == (state, "none served")

    def test_only_served_code_is_loaded(self, path: Path) -> None:
        """Version 2 of contacts.add, and contacts.open, name functions that are not there."""
        table = RoutingTable.build(read_index(path), "hosted-live")
        stated = [each for each in table.modules if each not in built_in_part().modules]
        assert [module.__file__ for module in stated] == [str(path.parent / "desk.py")]

    def test_code_that_cannot_be_loaded_is_named_with_action_and_version(self, path: Path) -> None:
        with pytest.raises(CodeProblem) as caught:
            RoutingTable.build(read_index(path), "local-dev")
        said = str(caught.value).split("\n")
        assert [f"{path}: {name}:" in line for name, line in
                zip(("contacts.add version 2", "contacts.open version 1"), said, strict=True)] == [
            True, True]  # fmt: skip

    def test_a_route_says_whether_its_function_may_wait(self, path: Path) -> None:
        """Known when the table is built, so that no message has to find out."""
        plain = RoutingTable.build(read_index(path), "hosted-live")
        (path.parent / "desk.py").write_text("async def add(ctx, params): ...\n")
        waiting = RoutingTable.build(read_index(path), "hosted-live")
        assert plain.routes["contacts.add"].is_async is False
        assert waiting.routes["contacts.add"].is_async is True

    def test_functions_can_call_the_index_s_operations_and_the_engine_s(self, path: Path) -> None:
        """A tenant is subscribed to the index's connectors only."""
        path.write_text(INDEX + "[connectors.mail]\nsummary = 'Mail.'\noperations.send = {}\n")
        table = RoutingTable.build(read_index(path), "hosted-live")
        assert table.operations.keys() == {"mail.send", "timer.sleep"}
        assert table.connectors.keys() == {"mail"}

    @pytest.mark.parametrize("name", PLACES)
    def test_what_is_built_in_is_served_with_every_index_everywhere(
        self, path: Path, name: str
    ) -> None:
        """Whatever states the environment serves, here none."""
        path.write_text(f"[environments.{name}]\nserves = []")
        table = RoutingTable.build(read_index(path), name)
        assert set(table.routes) == set(built_in_index().actions)
        for route in table.routes.values():
            assert route.built_in
            assert route.function is not None
            assert route.meta == {"version": 1, "state": "release", "reason": "newest"}

    def test_what_the_index_states_is_not_built_in(self, path: Path) -> None:
        assert not RoutingTable.build(read_index(path), "hosted-live").find("contacts.add").built_in

    def test_the_console_steps_what_is_built_in_and_tenants_call_it(self) -> None:
        """What the admin console answers may wait, whichever channel it came by; nothing else does."""
        for route in built_in_part().routes.values():
            assert route.is_async is route.is_administrative, route.name

    def test_tenants_know_the_text_of_what_they_run_and_of_nothing_else(self) -> None:
        """The Directory's statements are no statements of a tenant's."""
        files = {Path(module.__file__ or "").name for module in built_in_part().modules}
        assert files == {"config.py"}
        assert "tenant" in str(built_in_part().modules[0].__file__)

    def test_the_digest_is_of_the_index_and_of_what_is_built_in(self, path: Path) -> None:
        table = RoutingTable.build(read_index(path), "hosted-live")
        again = RoutingTable.build(read_index(path), "hosted-live")
        assert table.digest == again.digest
        assert table.digest not in {read_index(path).digest, built_in_index().digest}
        path.write_text(INDEX + "# a remark")
        assert RoutingTable.build(read_index(path), "hosted-live").digest != table.digest

    def test_members_are_not_led_to_administration(self, path: Path) -> None:
        table = RoutingTable.build(read_index(path), "hosted-live")
        admin = Principal("t_2", None, "developer admin")
        member = Principal("t_1", "acme", "member")
        assert table.nearest("tenants.creat", caller=admin)[0] == "tenants.create"
        assert "tenants.create" not in table.nearest("tenants.creat", caller=member)
        assert table.nearest("config.got", caller=member)[0] == "config.get"

    def test_an_unknown_environment_is_refused(self, path: Path) -> None:
        with pytest.raises(SettingsError, match="hosted-live"):
            RoutingTable.build(read_index(path), "live")

    def test_a_table_cannot_be_changed(self, path: Path) -> None:
        table = RoutingTable.build(read_index(path), "hosted-live")
        with pytest.raises(TypeError):
            table.routes["x"] = table.find("contacts.add")  # type: ignore[index]  # that is the test

    def test_a_misspelt_action_is_answered_with_the_nearest_names(self, path: Path) -> None:
        table = RoutingTable.build(read_index(path), "hosted-live")
        with pytest.raises(NotFound, match=r"'contacts\.ad'; did you mean contacts\.add"):
            table.find("contacts.ad")
        with pytest.raises(NotFound, match=r"system\.describe"):
            table.find("zzz")
        assert table.nearest("contacts.ad", n=1) == ["contacts.add"]
        assert table.nearest("contacts.add", caller="public") == ["contacts.open"]

    def test_only_names_that_the_caller_may_call_are_suggested(self, path: Path) -> None:
        """Of an owner those of his areas, of a token those of its scope."""
        path.write_text(INDEX.replace('access = "owner"', 'access = "owner"\narea = "members"'))
        table = RoutingTable.build(read_index(path), "hosted-live")
        owner = Principal("t_1", "acme", "owner")
        assert "contacts.add" not in table.nearest("contacts.add", caller=owner)
        trusted = replace(owner, areas=frozenset({"members"}))
        assert table.nearest("contacts.add", caller=trusted)[0] == "contacts.add"
        narrowed = replace(trusted, scope=frozenset({"contacts.open"}))
        assert table.nearest("contacts.add", caller=narrowed) == ["contacts.open"]
        with pytest.raises(NotFound, match=r"did you mean contacts\.open\?"):
            table.find("contacts.ad", narrowed)

    def test_another_table_has_its_own_code(self, path: Path) -> None:
        first = RoutingTable.build(read_index(path), "hosted-live").find("contacts.add")
        (path.parent / "desk.py").write_text("def add(ctx, params): return {'id': 2}\n")
        second = RoutingTable.build(read_index(path), "hosted-live").find("contacts.add")
        assert first.function is not None
        assert second.function is not None
        assert [each.function(None, None)["id"] for each in (first, second) if each.function] == [
            1,
            2,
        ]

    def test_routes_of_what_an_edit_left_alone_are_taken_over(self, path: Path) -> None:
        """And with them code, failures counted, and testers; what was edited is built as ever."""
        text = INDEX.replace("add_better", "add").replace("desk:missing", "desk:add")
        path.write_text(text.replace('"under dev"', '"under user test"', 1))
        before = RoutingTable.build(read_index(path), "hosted-live")
        index = edit_index(before.described, "actions", "contacts.open", 1, {"state": "release"})
        after = RoutingTable.build(index, "hosted-live", before, must_recheck=lambda _: False)
        for name in ("contacts.add", "contacts.merge"):
            assert after.routes[name] is before.routes[name]
        assert after.testers["contacts.add"] is before.testers["contacts.add"]
        assert set(after.loaded_versions) == {*before.loaded_versions, ("contacts.open", 1)}
        assert set(before.modules) < set(after.modules)
        fresh = RoutingTable.build(index, "hosted-live")
        assert after.routes["contacts.open"].meta == fresh.routes["contacts.open"].meta
        assert after.routes.keys() == fresh.routes.keys()
        assert after.digest == fresh.digest

    @pytest.mark.parametrize("is_elsewhere", [True, False])
    def test_no_route_is_taken_over_to_recheck_its_code_or_for_another_environment(
        self, path: Path, is_elsewhere: bool
    ) -> None:
        before = RoutingTable.build(read_index(path), "hosted-live")
        (path.parent / "desk.py").write_text("def add(ctx, params): return {'id': 2}\n")
        place = "hosted-test" if is_elsewhere else "hosted-live"
        after = RoutingTable.build(before.described, place, before)
        function = after.routes["contacts.add"].function
        assert function is not None
        assert function(None, None) == {"id": 2}
        assert after.routes["contacts.add"] is not before.routes["contacts.add"]
