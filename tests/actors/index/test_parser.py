"""The index file: what it says, and how it is refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from actors.errors import IndexProblem, InvalidArgument, SettingsError
from actors.index.entries import DEFAULT_ENVIRONMENTS, STATES, Index, Version
from actors.index.parser import built_in_index, read_index

WHOLE = """
[environments.local-dev]
serves = ["dummy", "release"]
[environments.shop-floor]
serves = ["release"]
testers = ["under user test"]

[storage]
migrations = "migrations"

[actions."contacts.add"]
summary = "Add a contact."
access = "member"
channel = "data"
effect = "write"
connectors = ["mail.send"]
instructions = "Be quick."
[actions."contacts.add".params]
required = ["name"]
properties.name = { type = "string" }
[actions."contacts.add".result]
properties.id = { type = "integer" }
[[actions."contacts.add".versions]]
version = 1
state = "reverted"
code = "desk.contacts:add"
[[actions."contacts.add".versions]]
version = 2
state = "release"
code = "desk.contacts:add_two"
request = "R-12"

[actions."support.not_subscribed"]
summary = "Word the error."
access = "admin owner"
effect = "read"
[actions."support.not_subscribed".params]
properties.connector = { type = "string" }
properties.operation = { type = "string" }
[actions."support.not_subscribed".result]
required = ["user_message"]
properties.user_message = { type = "string" }

[connectors.mail]
summary = "Send mail."
not_subscribed = "support.not_subscribed"
[connectors.mail.settings]
required = ["host"]
properties.host = { type = "string", format = "hostname" }
properties.password = { type = "string", format = "password" }
[connectors.mail.operations.send]
[connectors.mail.operations.send.params]
properties.to = { type = "string", format = "email" }
[[connectors.mail.versions]]
version = 1
state = "release"
code = "connectors.mail:Mail"
"""

ACTION = """
[actions."a.b"]
summary = "S"
access = "member"
effect = "read"
"""
OWNERS = ACTION.replace('"member"', '"owner"') + 'channel = "admin"\n'
VERSION = ACTION + '[[actions."a.b".versions]]\nversion = 1\n'


def read(root: Path, text: str) -> Index:
    file = root / "index.toml"
    file.write_text(text)
    return read_index(file)


WORDED = """
[connectors.mail]
summary = "S"
not_subscribed = "a.b"
[actions."a.b"]
summary = "S"
access = "member"
{}
"""


def refused(root: Path, text: str) -> list[str]:
    """The problems, without the name of the file."""
    with pytest.raises(IndexProblem) as caught:
        read(root, text)
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{root / 'index.toml'}:") for line in lines)
    return [line.removeprefix(f"{root / 'index.toml'}:") for line in lines]


class TestReading:
    """What a sound file says."""

    @pytest.fixture
    def index(self, tmp_path: Path) -> Index:
        """The whole example."""
        (tmp_path / "migrations").mkdir()
        return read(tmp_path, WHOLE)

    def test_an_action_has_what_the_file_says(self, index: Index) -> None:
        action = index.actions["contacts.add"]
        assert action.name == "contacts.add"
        assert (action.summary, action.instructions) == ("Add a contact.", "Be quick.")
        assert (action.access, action.channel, action.effect) == ("member", "data", "write")
        assert action.connectors == ("mail.send",)
        assert action.params.source["required"] == ["name"]
        assert action.params.source["additionalProperties"] is False

    def test_versions_come_newest_first(self, index: Index) -> None:
        newest, oldest = index.actions["contacts.add"].versions
        assert newest == Version(2, "release", "desk.contacts:add_two", "R-12")
        assert oldest == Version(1, "reverted", "desk.contacts:add", None)

    def test_a_connector_has_operations_by_their_full_names(self, index: Index) -> None:
        mail = index.connectors["mail"]
        assert mail.not_subscribed == "support.not_subscribed"
        assert set(mail.operations) == {"mail.send"}
        assert mail.operations["mail.send"].params.example() == {"to": "ada@example.com"}
        assert mail.versions[0].code == "connectors.mail:Mail"

    def test_a_connector_that_comes_with_the_engine_is_taken_over_by_its_name(
        self, tmp_path: Path
    ) -> None:
        own = "[connectors.post]\nuse = 'mail'\nsummary = 'Our post.'\nroom.at_once = 2\n"
        post = read(tmp_path, own + ACTION + "connectors = ['post.send']\n").connectors["post"]
        assert post.summary == "Our post."
        assert post.room.at_once == 2
        assert "host" in post.settings.source["properties"]
        assert "subject" in post.operations["post.send"].params.source["properties"]
        (version,) = post.versions
        assert version[:3] == (1, "release", "actors.connectors.mail:MailConnector")

    def test_a_connector_says_what_a_tenant_sets_for_it(self, index: Index) -> None:
        settings = index.connectors["mail"].settings
        settings.parse({"host": "mail.example.com", "password": "x"})
        with pytest.raises(InvalidArgument, match=r"^mail: settings do not fit") as caught:
            settings.parse({"hots": "mail.example.com"})
        fields = {each.field for each in caught.value.refusal.details}
        assert fields == {"settings.hots", "settings.host"}

    def test_where_a_connector_says_nothing_of_settings_any_object_will_do(
        self, tmp_path: Path
    ) -> None:
        settings = read(tmp_path, "[connectors.x]\nsummary = 'S'").connectors["x"].settings
        settings.parse({"anything": {"goes": [1, None]}})

    def test_stated_environments_replace_those_of_the_default_table(self, index: Index) -> None:
        assert index.environment("local-dev").serves == {"dummy", "release"}
        assert index.environment("shop-floor").testers == {"under user test"}
        assert index.environment("local-qa") in DEFAULT_ENVIRONMENTS

    def test_an_environment_that_names_no_testers_keeps_those_of_the_default_table(
        self, tmp_path: Path
    ) -> None:
        stated = '[environments.hosted-live]\nserves = ["release"]\n'
        assert read(tmp_path, stated).environment("hosted-live").testers == {"under user test"}
        none = read(tmp_path, stated + "testers = []")
        assert none.environment("hosted-live").testers == frozenset()

    def test_paths_resolve_beside_the_file(self, index: Index, tmp_path: Path) -> None:
        assert index.root == tmp_path
        assert index.storage.migrations == tmp_path / "migrations"
        assert index.digest == sha256((tmp_path / "index.toml").read_bytes()).hexdigest()

    def test_channel_connectors_and_schemas_may_be_left_out(self, tmp_path: Path) -> None:
        action = read(tmp_path, ACTION).actions["a.b"]
        assert (action.channel, action.connectors, action.versions) == ("data", (), ())
        assert action.result.example() == {}

    def test_an_owners_area_and_a_level_of_the_platform_may_be_named_besides(
        self, tmp_path: Path
    ) -> None:
        plain = read(tmp_path, ACTION).actions["a.b"]
        assert (plain.area, plain.platform) == (None, None)
        action = read(tmp_path, OWNERS + 'area = "members"\nplatform = "developer"').actions["a.b"]
        assert (action.area, action.platform) == ("members", "developer")

    def test_an_empty_file_is_an_index_without_actions(self, tmp_path: Path) -> None:
        index = read(tmp_path, "")
        assert not index.actions
        assert list(index.environments) == [each.name for each in DEFAULT_ENVIRONMENTS]
        assert index.storage.migrations is None

    def test_an_unknown_environment_is_answered_with_the_names(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"local-dev, local-test.*mean hosted-live\?"):
            read(tmp_path, "").environment("hosted-life")

    def test_all_seven_states_are_known(self, tmp_path: Path) -> None:
        entry = '[[actions."a.b".versions]]\nversion = {}\nstate = "{}"\ncode = "a:b"\n'
        text = ACTION + "".join(entry.format(n, state) for n, state in enumerate(STATES, 1))
        versions = read(tmp_path, text).actions["a.b"].versions
        assert [each.state for each in reversed(versions)] == list(STATES)

    def test_the_index_of_this_repository_is_sound(self) -> None:
        index = read_index(Path(__file__).parents[3] / "registry.toml")
        assert "contacts.add" in index.actions
        stated = {each.name: index.environment(each.name) for each in DEFAULT_ENVIRONMENTS}
        assert stated == {each.name: each for each in DEFAULT_ENVIRONMENTS}


class TestBuiltIn:
    """The engine's own part has the form of every index."""

    def test_its_code_lies_beside_the_engine(self) -> None:
        root = Path(__file__).parents[3]
        assert built_in_index().path == root / "actors" / "admin" / "registry.toml"
        assert built_in_index().root == root

    def test_no_index_can_describe_what_it_describes(self, tmp_path: Path) -> None:
        """Not one of its actions; other names that begin alike are free."""
        for name in built_in_index().actions:
            text = ACTION.replace("a.b", name)
            assert refused(tmp_path, text) == [
                f'2: actions."{name}": is built in: choose another name'
            ]
        assert read(tmp_path, ACTION.replace("a.b", "tenants.greet")).actions.keys() == {
            "tenants.greet"
        }

    def test_its_connectors_are_called_and_not_described_again(self, tmp_path: Path) -> None:
        """An action lists their operations as any other; only the names are taken."""
        action = read(tmp_path, ACTION + 'connectors = ["timer.sleep"]').actions["a.b"]
        assert action.connectors == ("timer.sleep",)
        assert "timer" not in read(tmp_path, ACTION).connectors
        assert refused(tmp_path, "[connectors.timer]\nsummary = 'S'") == [
            "1: connectors.timer: is built in: choose another name"
        ]
        (misspelt,) = refused(tmp_path, ACTION + 'connectors = ["timer.slep"]')
        assert "did you mean timer.sleep?" in misspelt


class TestRefusing:
    """Each problem names file, line and key, and says what to do."""

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("action = 1", '1: action: unknown key; did you mean actions?'),
            ("actions = 1", "1: actions: must be a table"),
            ("[actions]\nx = 1", '2: actions.x: must be a table'),
            ("[actions.contacts.add]\nsummary = 'S'", 'Quote it: [actions."contacts.…"]'),
            ('[actions."Contacts.Add"]\nsummary = ""', "must be named in dotted lower case"),
            ('[actions."system.ping"]\nsummary = ""', "system. is reserved"),
            ('[actions."tenants.create"]\nsummary = ""',
                '1: actions."tenants.create": is built in: choose another name'),
            (f'[actions."{"a" * 129}"]\nsummary = ""', "at most 128 characters"),
            ('[actions."a.b"]', '1: actions."a.b": summary is missing: it must be a text'),
            ('[actions."a.b"]\nsummary = " "', '2: actions."a.b".summary: must be a text'),
            (ACTION + "acess = 1", '6: actions."a.b".acess: unknown key; did you mean access?'),
            (ACTION + 'connectors = "x"', "connectors: must be a list of texts"),
            (ACTION + 'connectors = ["mail.send"]', "'mail.send' is no operation of a connector"),
            (ACTION + "instructions = 7", "instructions: must be a text"),
            (ACTION + "params = 7", '6: actions."a.b".params: must be a table'),
            (ACTION + "params.properties.x.type = 'strng'", "did you mean string?"),
            (ACTION + "params.examples = 7", "params.examples: is not of type"),
            (ACTION + "params.properties.day.const = 2026-01-31", "a TOML date or time is no JSON"),
            (ACTION + "versions = 1", "must be an array of tables: write [[versions]]"),
            (ACTION + '[actions."a.b".versions.x]', "must be an array of tables"),
            (VERSION, "state is missing: it must be one of dummy, erroring, under dev"),
            (VERSION + 'state = "released"', "state: must be one of"),
            (VERSION + 'state = "Release"', "did you mean release?"),
            (VERSION + 'state = "release"', '6: actions."a.b".versions[0]: code is missing'),
            (VERSION + 'state = "release"\ncode = "../x:y"', "must be written package.module:name"),
            (VERSION + 'state = "dummy"\nnote = 1', "note: unknown key; known: version, state"),
            (ACTION + '[[actions."a.b".versions]]\nstate = "dummy"', "version is missing"),
            (VERSION.replace("= 1", "= true") + 'state = "dummy"', "must be a whole number"),
            (
                VERSION.replace("= 1", "= 0") + 'state = "dummy"',
                '7: actions."a.b".versions[0].version: must be a whole number from 1 on',
            ),
            (
                VERSION + 'state = "dummy"\n[[actions."a.b".versions]]\nversion = 1\nstate = "dummy"',
                '10: actions."a.b".versions[1].version: version 1 is there already',
            ),
            (
                VERSION + 'state = "dummy"\nrequests = ["R-1", "r-2"]',
                """actions."a.b".versions[0].requests[1]: 'r-2' is no request: write them as R-12""",
            ),
            (VERSION + 'state = "dummy"\nrequests = "R-1"', "requests: must be a list of texts"),
            (
                VERSION + f'state = "dummy"\nrequests = {[f"R-{at}" for at in range(1, 22)]}',
                "requests: names 21 requests, of at most 20",
            ),
            (ACTION + 'channel = "both"', "channel: must be one of data, admin"),
            (ACTION + 'area = "members"', '6: actions."a.b".area: is delegated to owners: it needs '
                'access = "owner", not "member"'),
            (OWNERS + 'area = "member"', "area: must be one of members, config, subscriptions, tokens, "
                "backups, testers; did you mean members?"),
            (OWNERS + "area = 1", "7: actions.\"a.b\".area: must be one of"),
            (OWNERS + 'platform = "owner"', "platform: must be one of developer, developer admin"),
            (ACTION + 'platform = "developer"', '6: actions."a.b".platform: needs channel = "admin"'),
            (OWNERS.replace("owner", "developer") + 'platform = "developer admin"',
                '7: actions."a.b".platform: leave it out: access is developer already'),
            (ACTION.replace("member", "developer"),
                '4: actions."a.b".access: developer needs channel = "admin": a token of the platform'),
            (ACTION.replace("member", "developer admin"), "developer admin needs channel"),
            ('[environments.local-dev]\nserves = ["relase"]', "'relase' is none of"),
            ('[environments.local-dev]\nserves = "release"', "must be a list of texts"),
            ('[environments.local-dev]\nserves = ["release", "release"]', "says something twice"),
            ("[environments.local-dev]", "1: environments.local-dev: serves is missing"),
            ("[environments.Live]\nserves = []", "must be named in lower case"),
            ('[storage]\nmigrations = "nowhere"', "nowhere is not a directory"),
            ('[storage]\nmigrations = "../.."', "migrations: must be below"),
            ('[storage]\nmigration = "x"', "did you mean migrations?"),
            ("[connectors.Mail]\nsummary = 'S'", "must be named in lower case"),
            ("[connectors.mail]", "connectors.mail: summary is missing"),
            ("[connectors.post]\nuse = 'mial'", "did you mean mail?"),
            ("[connectors.post]\nuse = 'mail'\nsettings.required = []", "settings: unknown key"),
            (
                "[connectors.mail]\nsummary='S'\nsettings.properties.host={typ='string'}",
                "connectors.mail.settings.properties.host.typ: not a keyword",
            ),
            ("[connectors.mail]\nsummary='S'\nnot_subscribed='a.b'", "'a.b' is no action"),
            ("[connectors.mail]\nsummary='S'\nroom.at_once=0", "must be a whole number from 1 on"),
            ("[connectors.mail]\nsummary='S'\nroom.of_all=1", "room.of_all"),
            (WORDED.format("effect='write'"), "'a.b' must have effect = \"read\""),
            (WORDED.format("effect='read'"), "'a.b' must take connector and operation"),
            (WORDED.format("effect='read'"), "'a.b' must answer user_message"),
            ("[connectors.mail]\nsummary='S'\noperations.send.parms={}", "did you mean params?"),
        ],
    )  # fmt: skip
    def test_a_problem_is_pointed_at(self, text: str, says: str, tmp_path: Path) -> None:
        assert any(says in line for line in refused(tmp_path, text))

    @pytest.mark.parametrize("key", ["access", "channel", "effect"])
    def test_a_word_that_is_not_among_the_choices_is_answered_with_them(
        self, key: str, tmp_path: Path
    ) -> None:
        lines = [line for line in ACTION.split("\n") if not line.startswith(key)]
        said = refused(tmp_path, "\n".join([*lines, f'{key} = "sideways"']))
        assert [f'actions."a.b".{key}: must be one of' in line for line in said] == [True]

    def test_all_problems_are_told_in_the_order_of_the_file(self, tmp_path: Path) -> None:
        broken = (
            WHOLE.replace('"member"', '"members"')
            .replace("properties.id", "propertys.id")
            .replace('["mail.send"]', '["mail.sent"]')
        )
        said = refused(tmp_path, broken)  # and the directory of migrations is not there
        assert [line.split(": ")[1].rpartition(".")[2] for line in said] == [
            "migrations",
            "access",
            "connectors[0]",
            "propertys",
        ]
        numbers = [int(line.partition(":")[0]) for line in said]
        written = broken.split("\n")
        assert [written[number - 1].split()[0] for number in numbers] == [
            "migrations",
            "access",
            "connectors",
            "propertys.id",
        ]

    def test_an_action_that_would_not_fit_into_a_description_is_refused(
        self, tmp_path: Path
    ) -> None:
        text = ACTION + f'params.properties.x.description = "{"x" * 70_000}"'
        assert "params and result take" in refused(tmp_path, text)[0]
