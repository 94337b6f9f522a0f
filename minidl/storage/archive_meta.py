"""The plain data in a file: JSON that says what the file is, and of which version."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from minidl.system.errors import CheckpointError, NewerFormat, UsageError

FORMAT_VERSION = 1
META = "meta.json"
OLDER = "take an older checkpoint"
FOREIGN = "name a file that minidl wrote"
_MAX_DEPTH = 100
MOST_DIGITS = 40


def format_meta(meta: Mapping[str, Any]) -> bytes:
    """As JSON, the same bytes for equal data; UsageError for what JSON cannot hold."""
    document = {"format": "minidl", "version": FORMAT_VERSION, "meta": dict(meta)}
    try:
        text = json.dumps(document, sort_keys=True, allow_nan=False)
        _check_depth(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"meta cannot be saved: {error}; use what JSON can hold") from error
    return text.encode()


def parse_meta(data: bytes) -> tuple[int, dict[str, Any]]:
    """The version of the format, and the data; CheckpointError for what `format_meta` never wrote."""
    try:
        document = json.loads(data.decode(), parse_int=_whole, parse_float=_finite, parse_constant=_no_number)
        _check_depth(document)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"its {META} cannot be read ({error}); {OLDER}") from None
    if not isinstance(document, dict) or document.get("format") != "minidl":
        raise CheckpointError(f'its {META} does not say "format": "minidl"; {FOREIGN}')
    version, meta = document.get("version"), document.get("meta")
    if type(version) is int and version > FORMAT_VERSION:
        own = f"this minidl reads up to version {FORMAT_VERSION}"
        raise NewerFormat(f"is of format version {version}, {own}; upgrade minidl")
    if type(version) is not int or version < 1 or not isinstance(meta, dict):
        raise CheckpointError(f"its {META} lacks a version or an object 'meta'; {OLDER}")
    return version, meta


def _whole(digits: str) -> int:
    """Two to the power of 128, which states of generators have, has 39 digits."""
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits:.20} is out of range")
    return number


def _no_number(name: str) -> float:
    raise ValueError(f"JSON has no {name}")


def _check_depth(document: Any) -> None:
    """Refuse data so deep that walking through it could exhaust the stack."""
    level = [document]
    for _ in range(_MAX_DEPTH):
        nested = (value for value in level if isinstance(value, (dict, list, tuple)))
        lists = (value.values() if isinstance(value, dict) else value for value in nested)
        level = [child for children in lists for child in children]
    if level:
        raise ValueError(f"nested more than {_MAX_DEPTH} deep")
