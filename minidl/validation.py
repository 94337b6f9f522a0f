"""Declarations checked by pydantic: types, ranges, unknown and missing names, and the JSON Schema.

pydantic reads the annotations that the dataclasses carry anyway, so that no rule is written twice. It is imported
here and in `minidl.experiment` only, and only when the first object is made, which keeps `import minidl` quick.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticUndefined, core_schema

from minidl.declared import ConfigError, Declared
from minidl.errors import suggest


def rules(cls: type[Any]) -> type[BaseModel]:
    """A pydantic model with the fields of a declaration, and `type` as its tag."""
    return _rules(cls)


@cache
def _rules(cls: Any) -> type[BaseModel]:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: dict[str, Any] = {"type": (Literal[cls.type_name()], cls.type_name())}
    for field in dataclasses.fields(cls):
        if field.init:
            fields[field.name] = (hints[field.name], _default(field))
    config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True, title=cls.type_name())
    return create_model(cls.type_name(), __config__=config, __doc__=_first_line(cls), **fields)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is dataclasses.MISSING:
        return Field(PydanticUndefined, description=field.metadata.get("doc"))
    return Field(field.default, description=field.metadata.get("doc"))


def _first_line(cls: type[Declared]) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


def check(declared: Declared) -> None:
    """Refuse values of a wrong type or out of their range, all at once."""
    cls = type(declared)
    values = {
        field.name: getattr(declared, field.name)
        for field in dataclasses.fields(declared)  # type: ignore[arg-type]
        if field.init
    }
    _validated(cls, lambda: rules(cls).model_validate(values))


def build(cls: type[Declared], config: dict[str, Any]) -> Any:
    """An object of this class from plain data, lists and nested configs included."""
    text = json.dumps(config)
    model = _validated(cls, lambda: rules(cls).model_validate_json(text))
    return construct(cls, model)


def construct(cls: type[Declared], model: BaseModel) -> Any:
    """The declared object that validated fields describe."""
    names = [field.name for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
    return cls(**{name: getattr(model, name) for name in names})


def _validated(cls: type[Declared], call: Callable[[], BaseModel]) -> BaseModel:
    try:
        return call()
    except ValidationError as error:
        known = [*rules(cls).model_fields]
        raise ConfigError("\n".join(f"{cls.type_name()}: {sentence(item, known)}" for item in error.errors())) from None


def sentence(item: Any, known: list[str]) -> str:
    """One of pydantic's findings in minidl's words: the name, what it got, what was expected."""
    name = ".".join(str(part) for part in item["loc"])
    last = str(item["loc"][-1]) if item["loc"] else ""
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown name {last!r}{suggest(last, known)} (known: {', '.join(sorted(set(known) - {'type'}))})"
    if item["type"] in ("missing", "missing_argument"):
        return f"{last!r} is missing"
    expected = item["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{name} should be {expected}, got {item['input']!r}"


def schema_of(cls: type[Declared]) -> core_schema.CoreSchema:
    """How pydantic treats a field whose type is a declared class: an object as it is, or its config."""
    if cls.abstract:
        choices = {name: _from_config(found) for name, found in cls.types().items()}
        described: core_schema.CoreSchema = core_schema.tagged_union_schema(choices, discriminator="type")
    else:
        described = _from_config(cls)
    given = core_schema.is_instance_schema(cls)
    return core_schema.json_or_python_schema(
        json_schema=described, python_schema=core_schema.union_schema([given, described])
    )


def _from_config(cls: type[Declared]) -> core_schema.CoreSchema:
    fields = TypeAdapter(rules(cls)).core_schema
    return core_schema.no_info_after_validator_function(lambda model: construct(cls, model), fields)
