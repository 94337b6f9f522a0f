"""JSON lines: an object a line, whose keys are the columns; or one JSON list of such objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from minidl.data.sources.rows import Rows, TextColumn
from minidl.system.errors import DataError


def read_json_lines(text: str, name: str) -> Rows:
    r"""The rows of JSON lines; a key that an object does not have is an empty cell, as null is.

    >>> read_json_lines('{"text": "a", "n": 1}\n\n{"text": "b"}\n', "x.jsonl").columns
    {'text': ['a', 'b'], 'n': ['1', '']}
    """
    lines: list[int] = []
    columns: dict[str, TextColumn] = {}
    for line, found in _objects(text, name):
        for key in found:
            if key not in columns:
                columns[key] = TextColumn([""] * len(lines))
        for key, column in columns.items():
            column.extend([_cell(found.get(key), key, name, line)])
        lines.append(line)
    if not lines:
        raise DataError(f"{name} has no rows")
    return Rows(name, dict(columns), lines, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def _objects(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if text.lstrip().startswith("["):
        yield from ((1, _object(item, name, 1)) for item in _parse(text, name, 1))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, _object(_parse(line, name, number), name, number)


def _parse(text: str, name: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f"{line + error.lineno - 1}:{error.colno}" if isinstance(error, json.JSONDecodeError) else line
        said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataError(f"{name}:{place}: is not JSON: {said}") from None


def _object(item: Any, name: str, line: int) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise DataError(f'{name}:{line}: a row is an object such as {{"text": "..."}}, got {str(item)[:40]!r}')
    return item


def _cell(value: Any, key: str, name: str, line: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    raise DataError(f"{name}:{line}: {key!r} holds a {type(value).__name__}: a cell is a text, a number or null")
