"""Declarations checked by pydantic: types, ranges, unknown and missing names.

pydantic reads the annotations that the dataclasses carry anyway, so that no rule is written twice. It is imported
here and in `minidl.experiment` only, and only when the first object is made, which keeps `import minidl` quick.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticUndefined

from minidl.declared import ConfigError, Declared
from minidl.errors import suggest

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """One mistake: where it stands in a tree of plain data, and what to do about it."""

    path: Path
    message: str


@cache
def rules(cls: Any) -> type[BaseModel]:
    """A pydantic model with the fields of a declaration, and `type` as its tag."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: dict[str, Any] = {"type": (Literal[cls.type_name()], cls.type_name())}
    for field in (field for field in dataclasses.fields(cls) if field.init):
        missing = field.default is dataclasses.MISSING
        fields[field.name] = (hints[field.name], Field(PydanticUndefined if missing else field.default))
    config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True, title=cls.type_name())
    return create_model(cls.type_name(), __config__=config, __doc__=first_line(cls), **fields)


def first_line(cls: type[Any]) -> str:
    """What a class is, in one line."""
    return (cls.__doc__ or "").strip().partition("\n")[0]


def check(declared: Declared) -> None:
    """Refuse values of a wrong type or out of their range, all at once."""
    cls: Any = type(declared)
    values = {field.name: getattr(declared, field.name) for field in dataclasses.fields(cls) if field.init}
    found = list(findings(rules(cls), values, ()))
    if found:
        raise ConfigError("\n".join(f"{cls.__name__}: {finding.message}" for finding in found))


def build(cls: type[Declared], config: Mapping[str, Any]) -> Any:
    """An object of this class, or of the class that `type` names, from plain data; ConfigError with all mistakes."""
    mistakes: list[Finding] = []
    built = revive(cls, config, (), mistakes)
    if mistakes:
        where = config.get("type", cls.__name__)
        raise ConfigError("\n".join(f"{where}: {finding.message}" for finding in mistakes))
    return built


def revive(cls: type[Declared], config: Mapping[str, Any], path: Path, mistakes: list[Finding]) -> Any:
    """As `build`, but mistakes are added to a list, each with its path; None where there is one."""
    known = cls.types()
    name = config.get("type", cls.type_name() if not cls.abstract else None)
    if name not in known:
        what = f"a {cls.family} needs a 'type'" if name is None else f"there is no {cls.family} of type {name!r}"
        place = (*path, "type") if "type" in config else path
        mistakes.append(Finding(place, f"{what}{suggest(str(name), known)} (known: {', '.join(known)})"))
        return None
    found: Any = known[name]
    before = len(mistakes)
    families = nested_families(found)
    values = {
        key: _revive_value(value, families.get(key), (*path, key), mistakes)
        for key, value in config.items()
        if key != "type"
    }
    broken = {finding.path[: len(path) + 1] for finding in mistakes[before:]}  # already reported, more exactly
    mistakes += [item for item in findings(rules(found), values, path) if item.path[: len(path) + 1] not in broken]
    return found(**values) if len(mistakes) == before else None


def _revive_value(value: Any, family: type[Declared] | None, path: Path, mistakes: list[Finding]) -> Any:
    if isinstance(value, list):
        return tuple(_revive_value(item, family, (*path, i), mistakes) for i, item in enumerate(value))
    if family is not None and isinstance(value, Mapping):
        return revive(family, value, path, mistakes)
    return value


@cache
def nested_families(cls: Any) -> dict[str, type[Declared]]:
    """The fields of a declaration that hold other declarations, and of which kind."""
    hints = typing.get_type_hints(cls)
    return {name: base for name, hint in hints.items() for base in _declared_in(hint)}


def _declared_in(hint: Any) -> Iterable[type[Declared]]:
    if isinstance(hint, type) and issubclass(hint, Declared):
        yield hint
    for part in typing.get_args(hint):
        yield from _declared_in(part)


def findings(model: type[BaseModel], values: Mapping[str, Any], path: Path) -> Iterable[Finding]:
    """What pydantic has against these values, in minidl's words, one finding a place."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        places: dict[Path, list[Any]] = {}
        for item in error.errors():
            places.setdefault(_place(item["loc"], values), []).append(item)
        for place, items in places.items():
            yield Finding((*path, *place), _sentence(place, items, list(model.model_fields)))


def _place(loc: Iterable[str | int], values: Any) -> Path:
    """The part of pydantic's location that exists in the data; the rest names branches of unions."""
    place: list[str | int] = []
    for part in loc:
        inside = isinstance(values, Mapping) or (isinstance(values, (list, tuple)) and isinstance(part, int))
        if place and not inside:
            break
        place.append(part)
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            break
    return tuple(place)


def _sentence(place: Path, items: list[Any], known: list[str]) -> str:
    name, kind = ".".join(map(str, place)), items[0]["type"]
    if kind == "extra_forbidden":
        names = ", ".join(sorted(set(known) - {"type"}))
        return f"unknown name {name!r}{suggest(str(place[-1]), known)} (known: {names})"
    if kind == "missing":
        return f"{name!r} is missing"
    expected = " or ".join(dict.fromkeys(_expectation(item) for item in items))
    return f"{name!r} should be {expected}, got {_shown(items[0]['input'])}"


def _expectation(item: Any) -> str:
    if item["type"] == "is_instance_of":
        return f"a {item['ctx']['class'].lower()} with a type"
    for prefix in ("Input should be ", "Input should have ", "Value error, "):
        if item["msg"].startswith(prefix):
            return str(item["msg"]).removeprefix(prefix)
    return str(item["msg"])


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
