"""JSON lines: an object a line, whose keys are the columns; or one JSON list of such objects."""

from __future__ import annotations

import itertools
import json
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from minidl.data.sources.columns import PIECE, TextColumn
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError


def read_pieces(
    text: TextIO, name: str, size: int = PIECE, *, columns: Sequence[str] = (), wanted: Sequence[str] = ()
) -> Iterator[Rows]:
    r"""The rows of JSON lines, so many at a time; a key that an object does not have is an empty cell, as null is.

    columns: those that every piece has; further ones come with the piece that has them first. wanted: those that will
    be asked for, and may hold no lists or objects, which stand as JSON in other cells.

    >>> from io import StringIO
    >>> text = '{"text": "a", "n": 1}\n\n{"text": "b"}\n'
    >>> Rows.joined(read_pieces(StringIO(text), "x.jsonl")).columns
    {'text': ['a', 'b'], 'n': ['1', '']}
    """
    objects, keys = _objects(text, name), dict.fromkeys(columns)
    while piece := list(itertools.islice(objects, size)):
        keys.update(dict.fromkeys(key for _, found in piece for key in found))
        cells = {
            key: TextColumn(_cell(found.get(key), key, name, line, wanted) for line, found in piece) for key in keys
        }
        yield Rows(name, dict(cells), array("I", (line for line, _ in piece)), "")


def all_columns(text: TextIO, name: str) -> list[str]:
    """The keys of all objects, in the order in which they come."""
    return list(dict.fromkeys(key for _, found in _objects(text, name) for key in found))


def _objects(text: TextIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects with their lines; DataError where there is none."""
    lines = ((number, line) for number, line in enumerate(text, 1) if line.strip())
    number, first = next(lines, (1, ""))
    if not first:
        raise DataError(f"{name} has no rows")
    if first.lstrip().startswith("["):
        found = ((number, item) for item in _parse(first + text.read(), name, number) or [None])
    else:
        found = ((number, _parse(line, name, number)) for number, line in itertools.chain([(number, first)], lines))
    yield from ((number, _object(item, name, number)) for number, item in found)


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


def _cell(value: Any, key: str, name: str, line: int, wanted: Sequence[str]) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    if key not in wanted:
        return json.dumps(value, ensure_ascii=False)
    raise DataError(f"{name}:{line}: {key!r} holds a {type(value).__name__}: a cell is a text, a number or null")
