"""One object schema of the index, checked at load: what goes into an action, or what comes out.

Two steps, with their reasons in docs/decisions/0002-json-schema.md: jsonschema-rs decides whether a
value fits, exactly as JSON Schema 2020-12 says and in linear time; the pydantic model then gives the
function typed attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any
from weakref import WeakValueDictionary

from pydantic import BaseModel, ValidationError

from actors.errors import IndexProblem, InvalidArgument, TenantryError
from actors.schema.dialect import normalized
from actors.schema.example import NoExample, example
from actors.schema.pydantic_model import Shape, is_held, shape_of
from actors.schema.source import SourceProblem, format_key
from actors.schema.validation import (
    Contract,
    breaking_names,
    checked_validator,
    dotted,
    is_foreign_key,
    make_validator,
    message_for,
    places_of,
    summary,
)
from transport.message import Problem

RESERVED_NAME = "is a name that breaks clients in JavaScript: choose another"

MOST_PROBLEMS = 20
"""Details in one reply: enough to mend a form, and no large reply out of a small request."""


class SchemaProblem(IndexProblem):
    """A schema of the index cannot be used; `findings` say where, relative to the schema."""

    def __init__(self, name: str, findings: list[SourceProblem]) -> None:
        super().__init__(
            "\n".join(f"{name}: {format_key(each.key)}: {each.problem}" for each in findings)
        )
        self.findings = findings


class ResultProblem(TenantryError):
    """A function returned what does not fit its action's result schema: a defect of the function."""

    def __init__(self, owner: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(summary(owner, "the result does not fit its schema", problems))
        self.problems = problems


class Schema:
    """The schema of one map; made by `Schema.build`, and never changed afterwards.

    Its model is made when it is first needed, and so is the validator of one that is known to be sound: an
    index has hundreds, a server that starts needs few, and they would take most of the time of its start.
    """

    __slots__ = (
        "__weakref__",
        "_breaking",
        "_example",
        "_fits",
        "_made",
        "_model",
        "_owner",
        "_part",
        "_shape",
        "_typed",
        "source",
    )

    source: dict[str, Any]
    """JSON Schema 2020-12 with everything implied written out. Shared: not to be changed."""

    def __init__(
        self, name: str, source: dict[str, Any], shape: Shape, contract: Contract | None = None
    ) -> None:
        self._owner, _, self._part = name.rpartition(".")
        self.source = source
        self._shape = shape
        self._model: type[BaseModel] | None = None
        self._made = contract
        self._fits: Callable[[Any], bool] = (
            self._first_fits if contract is None else contract.is_valid
        )
        self._typed: Callable[[Any], BaseModel] = self._first_typed
        self._breaking = breaking_names(source)
        self._example: dict[str, Any] | None = None

    @classmethod
    def build(cls, name: str, schema: Mapping[str, Any], *, is_sound: bool = False) -> Schema:
        """Prepare the schema called `name` (such as `contacts.add.params`) as the index states it.

        SchemaProblem names what is not JSON Schema 2020-12, what an index may not use, defaults and
        examples that do not fit, and a schema for which an example is neither given nor can be made. The
        same schema of the same name is built once as long as it is in use: an index is read again with
        each move, and building its schemas takes most of that. Nothing is proved of one that
        `is_sound` because it comes with the engine.
        """
        key = name, repr(schema), is_sound
        found = _in_use.get(key)
        if found is None:
            found = _in_use[key] = cls._built(name, schema, is_sound)
        return found

    @classmethod
    def _built(cls, name: str, schema: Mapping[str, Any], is_sound: bool) -> Schema:
        source, findings = normalized(schema)
        contract = None
        if not findings and not is_sound:
            checked = checked_validator(source)
            contract, findings = (None, checked) if isinstance(checked, list) else (checked, [])
        if findings:
            raise SchemaProblem(name, findings)
        shape, findings = shape_of(name, source)
        if findings:
            raise SchemaProblem(name, findings)
        built = cls(name, source, shape, contract)
        if not is_sound:
            built._prove_example(name)
        return built

    @property
    def _contract(self) -> Contract:
        if self._made is None:
            self._made = make_validator(self.source)
        return self._made

    @property
    def model(self) -> type[BaseModel]:
        """Frozen, with an attribute for each property: None or the default where it was absent."""
        if self._model is None:
            self._model = self._shape.model()
        return self._model

    def parse(self, params: Mapping[str, Any]) -> BaseModel:
        """The params as typed attributes; InvalidArgument, with a detail for each problem, if not."""
        if self._fits(params):
            if self._breaking:
                self._require_harmless_names(params)
            try:
                return self._typed(params)
            except ValidationError as error:
                raise self._refusal(tuple(self._unreadable(error))) from None
        raise self._refusal(self._problems(params))

    def check(self, result: Mapping[str, Any]) -> None:
        """Return if the result fits; ResultProblem, naming the fields, if not.

        Where a schema says nothing about a value, it may be a Python object that no message can
        carry: that shows when the reply is packed.
        """
        try:
            if self._fits(result):
                return
            problems = self._problems(result)
        except ValueError:  # the validator met an object that is no JSON value
            found = is_foreign_key(result, (self._part,))
            problems = (found or Problem(self._part, "is no JSON value"),)
        raise ResultProblem(self._owner, problems)

    def example(self) -> dict[str, Any]:
        """A plausible value that fits, the same one every time. Shared: not to be changed."""
        if self._example is None:
            self._example = example(self.source, self._contract)
        return self._example

    def _first_fits(self, value: Any) -> bool:
        self._fits = self._contract.is_valid
        return self._fits(value)

    def _first_typed(self, params: Mapping[str, Any]) -> BaseModel:
        typed: Callable[[Any], BaseModel] = self.model.__pydantic_validator__.validate_python
        self._typed = typed
        return typed(params)

    def _refusal(self, problems: tuple[Problem, ...]) -> InvalidArgument:
        message = summary(self._owner, f"{self._part} do not fit the schema", problems)
        return InvalidArgument(message, details=problems)

    def _require_harmless_names(self, params: Mapping[str, Any]) -> None:
        found = islice(places_of(self._breaking, params, (self._part,)), MOST_PROBLEMS)
        problems = tuple(Problem(dotted(place), RESERVED_NAME) for place in found)
        if problems:
            raise self._refusal(problems)

    def _problems(self, value: Mapping[str, Any]) -> tuple[Problem, ...]:
        found = (
            problem
            for error in self._contract.iter_errors(value)
            for problem in message_for(error, self._part, self.source)
        )
        return tuple(islice(found, MOST_PROBLEMS))

    def _unreadable(self, error: ValidationError) -> Iterator[Problem]:
        """What JSON Schema allows and Python cannot hold, such as a leap second or the year 0."""
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            kind = each["type"].replace("_", " ")
            yield Problem(dotted((self._part, *each["loc"])), f"cannot be represented ({kind})")

    def _prove_example(self, name: str) -> None:
        """Make the example; SchemaProblem asks the author for one where ours would not do."""
        try:
            if not is_held(self.example()):
                self._typed(self.example())
        except NoExample as problem:
            raise SchemaProblem(name, [problem.finding]) from None
        except ValidationError as error:
            place = ("properties", *error.errors()[0]["loc"])
            raise SchemaProblem(
                name, [SourceProblem(place, "the example cannot be represented")]
            ) from None


_in_use: WeakValueDictionary[tuple[str, str, bool], Schema] = WeakValueDictionary()
"""By name and by what it was built of: values that never change, shared by the indexes that state them."""
