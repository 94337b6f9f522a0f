"""Scalars as the core schema of YAML 1.2 has them: 1e-3 is a number, no is text, 017 is seventeen."""

from __future__ import annotations

import math
import re

TAG = "tag:yaml.org,2002:"
NULL, BOOL, INT, FLOAT, TEXT = (f"{TAG}{name}" for name in ("null", "bool", "int", "float", "str"))
DIGITS = "0123456789"
# tag, the plain scalars that carry it, the characters they begin with ("" is the empty scalar)
CORE_SCHEMA = (
    (NULL, r"~|null|Null|NULL|", ("~", "n", "N", "")),
    (BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+" + DIGITS),
    (FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+." + DIGITS),
    (FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
)
LONGEST_NUMBER = 100  # characters; keeps whole numbers within the range of floats, and their reading fast


def resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """The core schema as PyYAML's loaders and dumpers look it up: by the first character."""
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, firsts in CORE_SCHEMA:
        for first in firsts:
            table.setdefault(first, []).append((tag, re.compile(rf"(?:{pattern})\Z")))
    return table


def construct(tag: str, text: str) -> bool | int | float | str | None:
    """The value of a scalar; ValueError says why there is none.

    >>> construct(INT, "017"), construct(INT, "0o17"), construct(FLOAT, "1e-3"), construct(BOOL, "true")
    (17, 15, 0.001, True)
    """
    if tag == NULL:
        return None
    if tag == BOOL:
        return text.lower() == "true"
    if tag not in (INT, FLOAT):
        return joined_surrogates(text)
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} characters is too long: at most {LONGEST_NUMBER}")
    if tag == INT:
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if text[-1] in "fFnN":  # .inf, .nan: Python writes them without the dot
        return float(text.replace(".", ""))
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large for a number: at most 1.8e308; infinity is written .inf")
    return value


def joined_surrogates(text: str) -> str:
    r"""Text in which JSON's \ud83d\ude00 is one character; ValueError for half a pair.

    The bytes of a path that is no UTF-8 are halves from \udc80 on, as `os.fsdecode` has them, and stay.

    >>> joined_surrogates("\ud83d\ude00") == "\U0001f600"
    True
    """
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    try:
        joined.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("an escape such as \\ud83d is half a character: the other half is missing") from None
    return joined
