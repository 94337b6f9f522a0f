"""What pydantic has to know about a declaration: types and ranges of its fields, and what docstrings say of them."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from minidl.system.errors import either

STRICT = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)


@cache
def rules(cls: Any) -> type[BaseModel]:
    """A pydantic model with the fields of a declaration, and `type` as its tag."""
    hints = type_hints(cls)
    fields: dict[str, Any] = {"type": (Literal[cls.type_name()], cls.type_name())}
    for field in (field for field in dataclasses.fields(cls) if field.init):
        given = {"default": field.default, "default_factory": field.default_factory}
        default: Any = {key: value for key, value in given.items() if value is not dataclasses.MISSING}
        fields[field.name] = (hints[field.name], Field(**default))
    return create_model(cls.type_name(), __config__=STRICT, __doc__=first_line(cls), **fields)


@cache
def type_hints(cls: Any) -> dict[str, Any]:
    """The types of the fields of a class, with their ranges."""
    return typing.get_type_hints(cls, include_extras=True)


def first_line(cls: type[Any]) -> str:
    """What a class is, in one line."""
    return (cls.__doc__ or "").strip().partition("\n")[0]


def field_notes(cls: Any) -> dict[str, str]:
    """What the docstrings of a class and its bases say of its fields, where they say "name: ..." or "`name`: ...".

    >>> from minidl.optim import SGD
    >>> field_notes(SGD)["lr"], field_notes(SGD)["momentum"]
    ('learning rate', 'μ')
    """
    name = rf"`?(?:{'|'.join(field.name for field in dataclasses.fields(cls))})`?"
    mark = re.compile(rf"(?<![\w`])({name}(?:, {name})*)(?: \([^)]*\))?: ")
    notes: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        for paragraph in re.split(r"\n\s*\n", base.__dict__.get("__doc__") or ""):
            _, *parts = mark.split(" ".join(paragraph.split()))
            for names, text in zip(parts[::2], parts[1::2], strict=True):
                if not text.startswith("see "):
                    notes |= dict.fromkeys(re.findall(r"\w+", names), text.strip().removesuffix("."))
    return notes


def is_declared(hint: Any) -> bool:
    """Whether this is a class of declarations: one with a registry of its family."""
    return isinstance(hint, type) and bool(getattr(hint, "family", ""))


@cache
def nested_families(cls: Any) -> dict[str, type[Any]]:
    """The fields of a declaration that hold other declarations, and of which kind."""
    return {name: base for name, hint in type_hints(cls).items() for base in _declared_in(hint)}


def _declared_in(hint: Any) -> Iterable[type[Any]]:
    if is_declared(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from _declared_in(part)


def described(cls: Any) -> str:
    """What a file has to say where a declaration of this kind belongs.

    >>> from minidl.callbacks import Every
    >>> described(Every)
    'a mapping with steps, epochs or minutes'
    """
    if cls.abstract:
        return f"a mapping with the type {either(list(cls.types()))}"
    return f"a mapping with {either([field.name for field in dataclasses.fields(cls)])}"
