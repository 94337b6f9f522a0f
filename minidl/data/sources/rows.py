"""Rows of a CSV file by column, each with the line where it begins, so that an unfit cell can be pointed at."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.system.errors import DataError, suggest


@dataclass(frozen=True)
class Rows:
    """The cells of a table as text. name: of the file, for messages. lines: where each row begins, from 1."""

    name: str
    columns: dict[str, list[str]]
    lines: list[int]
    digest: str

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[str]:
        """The cells of a column; DataError names the columns that there are."""
        if name not in self.columns:
            near, known = suggest(name, self.columns), ", ".join(self.columns)
            raise DataError(f"{self.name}:1: there is no column {name!r}{near} (columns: {known})")
        return self.columns[name]

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Columns of numbers side by side (N, F); DataError for the first cell that is none, or is not finite."""
        table = np.empty((len(self), len(names)))
        for k, name in enumerate(names):
            cells = self.column(name)
            try:
                table[:, k] = [_number(cell) for cell in cells]
            except ValueError:
                row = next(i for i, cell in enumerate(cells) if not _is_number(cell))
                raise self.error(row, f"column {name!r} has {cells[row]!r}, which is no finite number") from None
        return table

    def error(self, row: int, message: str) -> DataError:
        """What is wrong with a row, with its place."""
        return DataError(f"{self.name}:{self.lines[row]}: {message}")


def read_rows(text: str, name: str, delimiter: str = ",") -> Rows:
    r"""The rows of a CSV text whose first row names the columns; blank lines do not count.

    Quoting is that of RFC 4180: a cell with the delimiter, a quote or a line break stands in quotes, a quote in it
    twice. Raises DataError for columns of one name, rows with too few or too many cells, and quotes that do not close.

    >>> rows = read_rows('name,note\nx,"a, b"\n\ny,\n', "small.csv")
    >>> rows.columns, rows.lines
    ({'name': ['x', 'y'], 'note': ['a, b', '']}, [2, 4])
    """
    records = _records(text, name, delimiter)
    _, header = next(records, (1, []))
    if not header:
        raise DataError(f"{name} is empty: the first row should name the columns")
    twice, times = Counter(header).most_common(1)[0]
    if times > 1:
        raise DataError(f"{name}:1: two columns are named {twice!r}: the first row should name each column once")
    lines, cells = [], []
    for line, row in records:
        if len(row) != len(header):
            raise DataError(
                f"{name}:{line}: cells in this row: {len(row)}, columns in the first: {len(header)} "
                f"({', '.join(header)}); is {delimiter!r} the delimiter? A cell that contains it has to stand in quotes"
            )
        lines.append(line)
        cells.append(row)
    if not cells:
        raise DataError(f"{name} has no rows below its header ({', '.join(header)})")
    columns = {column: list(found) for column, found in zip(header, zip(*cells, strict=True), strict=True)}
    return Rows(name, columns, lines, hashlib.sha256(text.encode()).hexdigest())


def _records(text: str, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line where it begins."""
    reader: Any = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begin = 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}:{begin}: {error} in the row that begins here: see how quotes are placed") from None


def _number(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value) or "_" in cell:  # float() takes 1_000
        raise ValueError(cell)
    return value


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True
