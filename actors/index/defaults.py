"""What a tenant's config may say where the index does not state it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from actors.schema.schema import Schema
from actors.schema.validation import VISIBLE

SETTINGS: Mapping[str, Any] = MappingProxyType({"additionalProperties": True})
"""Any object."""

_ADDRESS = {
    "type": "string",
    "format": "uri",
    "pattern": "^https://[^/?#]",
    "maxLength": 2048,
}
"""Encrypted only: it goes into pages that end users open."""

WHITELABEL: Mapping[str, Any] = MappingProxyType(
    {
        "properties": {
            "product_name": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100,
                "pattern": VISIBLE,
                "description": "What end users know the product as.",
                "examples": ["Analytical Desk"],
            },
            "logo_url": {**_ADDRESS, "examples": ["https://example.com/logo.svg"]},
            "colours": {
                "type": "object",
                "maxProperties": 20,
                "propertyNames": {"maxLength": 40},
                "additionalProperties": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
                "examples": [{"primary": "#1a5fb4"}],
            },
            "support_address": {"type": "string", "format": "email", "maxLength": 254},
            "support_url": {**_ADDRESS, "examples": ["https://example.com/support"]},
            "locale": {
                "type": "string",
                "maxLength": 35,
                "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
                "description": "A language tag (BCP 47).",
                "examples": ["en-GB"],
            },
            "texts": {
                "type": "object",
                "maxProperties": 100,
                "propertyNames": {"maxLength": 64},
                "additionalProperties": {"type": "string", "maxLength": 500},
                "description": "By an error's code, what end users are told of it; or by any other name.",
                "examples": [{"not_found": "It is not there. Ask {support_address}."}],
            },
        }
    }
)
"""A product's name, look and words."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"settings": SETTINGS, "whitelabel": WHITELABEL}
)


@functools.cache
def default_schema(part: str) -> Schema:
    """The schema of `settings` or `whitelabel` that holds where the index states none."""
    return Schema.build(f"config.{part}", DEFAULTS[part])
