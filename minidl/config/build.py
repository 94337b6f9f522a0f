"""From plain data to declared objects, with all that is wrong with the data found on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from minidl.config.findings import Checked, Finding, Path, explain, gathered, shown, unknown_name
from minidl.config.rules import described, is_declared, nested_families, rules
from minidl.system.errors import ConfigError, suggest


def check(declared: Any) -> None:
    """Refuse values of a wrong type or out of their range, all at once."""
    cls: Any = type(declared)
    values = {field.name: getattr(declared, field.name) for field in dataclasses.fields(cls) if field.init}
    found = list(findings(cls, values, ()))
    if found:
        raise ConfigError("\n".join(f"{cls.__name__}: {finding.message}" for finding in found))


def findings(cls: Any, values: Mapping[str, Any], path: Path, beside: Sequence[str] = ()) -> Iterator[Finding]:
    """What there is against the values of a declaration's fields."""
    model = rules(cls)
    try:
        model.model_validate(values)
    except ValidationError as error:
        yield from explain(error, values, [*_keys(cls), *beside], path, list(nested_families(cls).values()))


def build(cls: type[Any], config: Mapping[str, Any]) -> Any:
    """An object of this class, or of the class that `type` names, from plain data; ConfigError with all mistakes."""
    built, mistakes = gathered(revive(cls, config, ()))
    if mistakes:
        where = config.get("type", cls.__name__) if isinstance(config, Mapping) else cls.__name__
        raise ConfigError("\n".join(f"{where}: {finding.message}" for finding in mistakes))
    return built


def revive(cls: type[Any], config: Any, path: Path, beside: Sequence[str] = ()) -> Checked[Any]:
    """As `build`, but each mistake is yielded, with its path; None where there is one.

    beside: further names that may stand there, and have been taken out.
    """
    found, mistakes = gathered(_named_class(cls, config, path))
    if found is None:
        yield from mistakes
        return None
    given = {key: value for key, value in config.items() if key != "type"}
    values, inside = gathered(revive_values(found, given, path))
    mistakes += inside
    broken = {finding.path[: len(path) + 1] for finding in mistakes}  # already reported, more exactly
    mistakes += [item for item in findings(found, values, path, beside) if item.path[: len(path) + 1] not in broken]
    if mistakes:
        yield from mistakes
        return None
    try:
        return found(**values)
    except ValueError as error:  # what a class has to say about several fields together, or about one more exactly
        placed = [dataclasses.replace(item, path=(*path, *item.path)) for item in getattr(error, "mistakes", ())]
        yield from placed or [Finding(path, str(error))]
        return None


def revive_values(cls: Any, values: Mapping[str, Any], path: Path) -> Checked[dict[str, Any]]:
    """Values of some fields of a class, with declarations in the place of the plain data that describe them."""
    families = nested_families(cls)
    revived = {}
    for key, value in values.items():
        revived[key] = yield from _revive_value(value, families.get(key), (*path, key))
    return revived


def _named_class(cls: type[Any], config: Any, path: Path) -> Checked[Any]:
    """The class that a mapping describes; None, and a mistake, where there is none."""
    if not isinstance(config, Mapping):
        name = f"{str(path[-1])!r} " if path and isinstance(path[-1], str) else "this "
        yield Finding(path, f"{name}should be {described(cls)}, got {shown(config)}")
        return None
    name = config.get("type", None if cls.abstract else cls.type_name())
    found = cls.registry.get(name) if isinstance(name, str) else None
    if found is not None and issubclass(found, cls):
        return found
    known = cls.types()
    fields = {field for each in known.values() for field in _names(each)}
    misspelt = next((key for key in config if key not in fields and suggest(str(key), ["type"])), None)
    if name is None and misspelt is not None:
        yield unknown_name((*path, misspelt), ["type"])
    elif name is None:
        yield Finding(path, f"'type' is missing (known: {', '.join(known)})")
    elif not cls.abstract:
        yield unknown_name((*path, "type"), _names(cls))
        return cls
    else:
        there_is_none = f"there is no {cls.family} of type {shown(name)}{suggest(str(name), known)}"
        yield Finding((*path, "type"), f"{there_is_none} (known: {', '.join(known)})")
    return None


def _revive_value(value: Any, family: type[Any] | None, path: Path) -> Checked[Any]:
    if isinstance(value, list):
        items = []
        for i, item in enumerate(value):
            items.append((yield from _revive_value(item, family, (*path, i))))
        return tuple(items)
    if family is not None and isinstance(value, Mapping):
        return (yield from revive(family, value, path))
    return value


def _keys(cls: Any) -> list[str]:
    """What a mapping may hold; `type` where it is one of several kinds."""
    several = any(base.abstract for base in cls.__mro__ if is_declared(base))
    return [*_names(cls), "type"] if several else _names(cls)


def _names(cls: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(cls) if field.init]
