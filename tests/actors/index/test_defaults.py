"""What a tenant's config may say: as the index states it, or as it holds for everyone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.errors import IndexProblem, InvalidArgument
from actors.index.defaults import default_schema
from actors.index.entries import ConfigSchemas
from actors.index.parser import read_index

STATED = """
[config.settings]
properties.tax_rate = { type = "number", minimum = 0, maximum = 100 }
[config.whitelabel]
properties.motto = { type = "string", maxLength = 40 }
"""


def config_of(root: Path, text: str) -> ConfigSchemas:
    file = root / "index.toml"
    file.write_text(text)
    return read_index(file).config


def refused(part: str, value: dict[str, Any]) -> set[str]:
    """The fields of a config part that do not fit the default schema."""
    with pytest.raises(InvalidArgument) as caught:
        default_schema(part).parse(value)
    return {problem.field for problem in caught.value.refusal.details}


class TestStated:
    """By the index."""

    def test_settings_and_whitelabel_are_what_the_index_says(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, STATED)
        assert config.settings.source["properties"].keys() == {"tax_rate"}
        assert config.whitelabel.source["properties"].keys() == {"motto"}
        with pytest.raises(InvalidArgument, match=r"settings\.tax_rate is greater than"):
            config.settings.parse({"tax_rate": 101})
        with pytest.raises(InvalidArgument, match=r"whitelabel\.product_name is unknown"):
            config.whitelabel.parse({"product_name": "Desk"})

    def test_what_is_not_stated_holds_as_for_everyone(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, STATED.partition("[config.whitelabel]")[0])
        assert config.whitelabel is default_schema("whitelabel")
        assert config_of(tmp_path, "").settings is default_schema("settings")

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[config]\nsetting = {}", "2: config.setting: unknown key; did you mean settings?"),
            ("config = 1", "1: config: must be a table"),
            ("[config]\nsettings = 1", "2: config.settings: must be a table"),
            (STATED.replace("tax_rate", "tax-rate"), "3: config.settings.properties.tax-rate: must"),
            (STATED.replace("40", "-1"), "5: config.whitelabel.properties.motto.maxLength: is less"),
        ],
    )  # fmt: skip
    def test_a_problem_is_pointed_at(self, text: str, says: str, tmp_path: Path) -> None:
        with pytest.raises(IndexProblem) as caught:
            config_of(tmp_path, text)
        assert any(f"index.toml:{says}" in line for line in str(caught.value).split("\n"))


class TestSettings:
    """Of an index that does not state them."""

    def test_any_object_will_do(self) -> None:
        default_schema("settings").check({"deep": {"list": [1, None, {"a": 0.5}]}})


class TestWhitelabel:
    """Of an index that does not state it."""

    def test_every_part_may_be_left_out(self) -> None:
        default_schema("whitelabel").check({})

    def test_its_example_has_every_part(self) -> None:
        schema = default_schema("whitelabel")
        assert schema.example().keys() == schema.source["properties"].keys()
        schema.check(schema.example())

    @pytest.mark.parametrize(
        ("value", "field"),
        [
            ({"product_name": "x" * 101}, "product_name"),
            ({"product_name": ""}, "product_name"),
            ({"product_name": " "}, "product_name"),
            ({"product_name": "\u3164"}, "product_name"),
            ({"support_url": "https://"}, "support_url"),
            ({"logo_url": "http://example.com/logo.svg"}, "logo_url"),
            ({"logo_url": "javascript:alert(1)//https://"}, "logo_url"),
            ({"logo_url": "https://exa mple.com/"}, "logo_url"),
            ({"support_url": "//example.com"}, "support_url"),
            ({"support_address": "Ada <ada@example.com>"}, "support_address"),
            ({"colours": {"primary": "red"}}, "colours.primary"),
            ({"colours": {"primary": "#1a5fb4\n"}}, "colours.primary"),
            ({"colours": {f"c{n}": "#000000" for n in range(21)}}, "colours"),
            ({"colours": {"x" * 41: "#000000"}}, "colours"),
            ({"locale": "en_GB"}, "locale"),
            ({"texts": {"not_found": "x" * 501}}, "texts.not_found"),
            ({"texts": {f"t{n}": "" for n in range(101)}}, "texts"),
            ({"texts": {"x" * 65: ""}}, "texts"),
            ({"texts": {"not_found": None}}, "texts.not_found"),
            ({"script": "x"}, "script"),
        ],
    )
    def test_what_does_not_fit_is_refused_by_its_field(
        self, value: dict[str, Any], field: str
    ) -> None:
        assert refused("whitelabel", value) == {f"whitelabel.{field}"}

    def test_a_text_has_any_name_and_up_to_500_characters(self) -> None:
        texts = {f"any name {n}": "ü" * 500 for n in range(100)}
        default_schema("whitelabel").check({"texts": texts})
