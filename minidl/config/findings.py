"""pydantic's errors in minidl's words: one finding a place, with what was expected and the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from minidl.config.plain import plain
from minidl.config.rules import described
from minidl.system.errors import suggest

Path = tuple[str | int, ...]
A_NAME = "a name of letters, digits, '.', '_' and '-' that begins with a letter or digit"
PYDANTIC = "Input should be "  # of kinds that only hints in code of the user's ask for
LONGEST = 60  # characters of a value that are shown
# pydantic's kinds of errors in plain words: those about the kind of a value, then those about the value
KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "none_required": "nothing",
    "callable_type": "a function",
    "needs_python_object": "what a file cannot say",
}
VALUES = {
    "finite_number": "a finite number",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "too_long": "a list of {max_length}",
    "too_short": "a list of {min_length} or more",
    "string_pattern_mismatch": A_NAME,  # no other pattern is declared
    "literal_error": "{expected}",
}


@dataclass(frozen=True)
class Finding:
    """One mistake: where it stands in a tree of plain data, and what to do about it.

    unknown: whether the mistake is the name at the end of the path.
    """

    path: Path
    message: str
    unknown: bool = False


T = TypeVar("T")
Checked = Generator[Finding, None, T]  # yields what is wrong, and returns what it has made of the data


def gathered(checking: Checked[T]) -> tuple[T, list[Finding]]:
    """What a check returns, and all that it yields before.

    >>> def check(number):
    ...     if number < 0:
    ...         yield Finding((), "less than 0")
    ...     return abs(number)
    >>> gathered(check(-1))
    (1, [Finding(path=(), message='less than 0', unknown=False)])
    """
    mistakes: list[Finding] = []
    while True:
        try:
            mistakes.append(next(checking))
        except StopIteration as end:
            return end.value, mistakes


def unknown_name(path: Path, known: Sequence[str]) -> Finding:
    """A name that nothing here goes by."""
    name = str(path[-1])
    message = f"unknown name {name!r}{suggest_key(name, known)} (known: {', '.join(sorted(known))})"
    return Finding(path, message, unknown=True)


def suggest_key(name: str, known: Sequence[str]) -> str:
    """As `suggest`; in YAML 'steps:100' is a name as a whole.

    >>> suggest_key("steps:100", ["steps"])
    "; did you mean 'steps: 100'?"
    """
    key, colon, value = name.partition(":")
    return f"; did you mean {f'{key}: {value}'!r}?" if colon and key in known else suggest(name, known)


def is_misspelt(missing: str, unknown: Sequence[str], known: Sequence[str]) -> bool:
    """Whether a name is missing only because it was misspelt, and so has its message already."""
    return any(name.startswith(f"{missing}:") or repr(missing) in suggest(name, known) for name in unknown)


def explain(
    error: ValidationError,
    values: Mapping[str, Any],
    known: Sequence[str],
    path: Path,
    nested: Sequence[type[Any]] = (),
) -> Iterator[Finding]:
    """The findings that an error about some values amounts to.

    known: the names there are. path: where the values stand. nested: the declarations that fields may hold.
    """
    families = {base.__name__: described(base) for base in nested}
    places: dict[Path, list[Any]] = {}
    for item in error.errors(include_url=False):
        places.setdefault(_place(item["loc"], values), []).append(item)
    unknown = [str(place[0]) for place, items in places.items() if items[0]["type"] == "extra_forbidden"]
    for place, items in places.items():
        name = ".".join(map(str, place))
        if name in unknown:
            yield unknown_name((*path, *place), known)
        elif place[0] not in values:
            if not is_misspelt(name, unknown, known):
                yield Finding((*path, *place), f"{name!r} is missing")
        elif items[0]["type"] == "missing" and isinstance(items[0]["loc"][-1], str):
            missing = items[0]["loc"]
            yield Finding((*path, *missing), f"{'.'.join(map(str, missing))!r} is missing")
        elif not any(other != place and other[: len(place)] == place for other in places):
            yield Finding((*path, *place), f"{name!r} should be {_expected(items, families)}")


def _place(loc: Sequence[str | int], values: Any) -> Path:
    """The part of pydantic's location that exists in the data; the rest names branches of unions."""
    place: list[str | int] = [loc[0]]
    values = values.get(loc[0])
    for part in loc[1:]:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            continue
        place.append(part)
    return tuple(place)


def _expected(items: Sequence[Any], families: Mapping[str, str]) -> str:
    """What a value should have been, and what it is. The value itself is at fault where its kind fits one branch."""
    got = items[0]["input"]
    if items[0]["type"] == "missing":  # the other branches of a union come after it
        length = 1 + max(item["loc"][-1] for item in items if item["type"] == "missing")
        return f"a list of {length}, got {shown(got)}"
    of_right_kind = [item for item in items if item["type"] in VALUES]
    words = dict.fromkeys(_expectation(item, families) for item in of_right_kind or items)
    near = suggest(got, [choice for item in items for choice in _choices(item)]) if isinstance(got, str) else ""
    return f"{' or '.join(words)}, got {shown(got)}{near}"


def _expectation(item: Any, families: Mapping[str, str]) -> str:
    kind, ctx = item["type"], item.get("ctx", {})
    if kind == "is_instance_of":
        return families.get(ctx["class"], f"a {ctx['class']}")
    words = KINDS.get(kind) or VALUES.get(kind)
    return words.format(**ctx) if words else str(item["msg"]).removeprefix("Value error, ").removeprefix(PYDANTIC)


def _choices(item: Any) -> list[str]:
    return re.findall(r"'([^']*)'", item["ctx"]["expected"]) if item["type"] == "literal_error" else []


def shown(value: Any) -> str:
    """A value as files write it, or nearly so, and not too long.

    >>> shown(None), shown(True), shown((1, 2)), shown("x")
    ('nothing', 'true', '[1, 2]', "'x'")
    """
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(plain(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
