"""Whether a value is what a generated type says: the types are read back from the text that was written."""

from __future__ import annotations

import builtins
import dataclasses
import datetime
import sys
import types
import typing
from typing import Any, Literal, NotRequired, Union

import typing_extensions
from pydantic import BaseModel

from actors.index.entries import Action
from scripts.codegen.text import ImportList, declarations
from scripts.codegen.types import Form, Types

KNOWN = {
    name: value
    for module in (builtins, datetime, dataclasses, typing, typing_extensions)
    for name, value in vars(module).items()
}


class Written(typing.NamedTuple):
    """The types of one action, as Python objects."""

    params: Any
    result: Any
    space: dict[str, Any]


def written(action: Action, form: Form) -> Written:
    """Write the types of an action and read them back."""
    declared = Types([action])
    params, result = declared.declare_action(action, form)
    imports = ImportList(closed=True)
    blocks = list(declarations(declared, imports))
    lines = [*imports.lines(), *(line for block in blocks for line in block)]
    module = types.ModuleType("written")
    sys.modules["written"] = module  # where dataclasses look for what annotations mean
    space = vars(module)
    exec("\n".join(["from __future__ import annotations", *lines]), space)
    return Written(space[params], space[result], space)


def fits(value: Any, type_: Any, space: dict[str, Any]) -> bool:
    """Whether a value is of a type; whole numbers may be floats on their way, as in JSON."""
    origin, inner = typing.get_origin(type_), typing.get_args(type_)
    if type_ is Any:
        return True
    if origin in {Union, types.UnionType}:
        return any(fits(value, each, space) for each in inner)
    if origin is Literal:
        return value in inner
    if origin is NotRequired:
        return fits(value, inner[0], space)
    if origin is list:
        return isinstance(value, list) and all(fits(each, inner[0], space) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            fits(each, inner[1], space) for each in value.values()
        )
    if typing_extensions.is_typeddict(type_):
        return _is_map(value, type_, space)
    return (
        _is_object(value, type_, space)
        if dataclasses.is_dataclass(type_)
        else _is_plain(value, type_)
    )


def _is_map(value: Any, type_: Any, space: dict[str, Any]) -> bool:
    hints = _hints(type_, space)
    required = {name for name, hint in hints.items() if typing.get_origin(hint) is not NotRequired}
    if not isinstance(value, dict) or not required <= value.keys() <= hints.keys():
        return False
    return all(fits(each, hints[name], space) for name, each in value.items())


def _is_object(value: Any, type_: Any, space: dict[str, Any]) -> bool:
    hints = _hints(type_, space)
    if not isinstance(value, BaseModel):
        return False
    return type(value).model_fields.keys() == hints.keys() and all(
        fits(getattr(value, name), hint, space) for name, hint in hints.items()
    )


def _is_plain(value: Any, type_: Any) -> bool:
    if type_ is None or type_ is type(None):
        return value is None
    if isinstance(value, bool):
        return type_ is bool
    if type_ is int:
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if type_ is float:
        return isinstance(value, float | int)
    return type(value) is type_


def _hints(type_: Any, space: dict[str, Any]) -> dict[str, Any]:
    """Annotations, resolved in the module alone: a class's own names hide nothing from a type."""
    texts = {
        name: getattr(hint, "__forward_arg__", hint) for name, hint in type_.__annotations__.items()
    }
    return {name: eval(text, {**KNOWN, **space}) for name, text in texts.items()}
