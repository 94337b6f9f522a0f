"""Rows and answers as a file: CSV, or a JSON object a line."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from minidl.predictor.answer_columns import Piece
from minidl.system.errors import DataError

DIGITS = ".9g"  # what a float32 in the units of its column is good for


def write(pieces: Iterable[Piece], out: TextIO, *, as_json: bool, delimiter: str = ",") -> int:
    """Write all rows, in their order, then those beyond the end; how many."""
    writer: Any = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    rows = _rows(pieces)
    headings, count = next(rows), 0
    if not as_json:
        writer.writerow(headings)
    for row in rows:
        count += 1
        if as_json:
            out.write(json.dumps(dict(zip(headings, map(_plain, row), strict=True))) + "\n")
        else:
            writer.writerow([_cell(value) for value in row])
    out.flush()
    return count


def _rows(pieces: Iterable[Piece]) -> Iterator[Sequence[Any]]:
    """The headings, then the rows."""
    headings: list[str] = []
    ahead: list[dict[str, Any]] = []
    for piece in pieces:
        if not headings:
            yield (headings := _headings(piece))
        columns, nothing = {**piece.rows.columns, **piece.answers.columns}, [None] * len(piece.rows)
        yield from zip(*(columns.get(name, nothing) for name in headings), strict=True)
        ahead += piece.answers.ahead
    for row in ahead:
        yield [row.get(name, "") for name in headings]


def _headings(piece: Piece) -> list[str]:
    given, found = list(piece.rows.columns), list(piece.answers.columns)
    twice = next((name for name in found if name in given), None)
    if twice is not None:
        raise DataError(f"{piece.rows.name}:1: a column is named {twice!r} already, as the answers are: rename it")
    return given + found


def _plain(value: Any) -> Any:
    """As JSON has it: null for what is not known."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> Any:
    """As CSV has it: nothing for what is not known, which the writer makes of None."""
    if isinstance(value, float):
        return format(value, DIGITS) if math.isfinite(value) else ""
    return value
