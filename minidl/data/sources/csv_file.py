"""CSV files: their delimiter is found, and their rows are read piece by piece."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from minidl.data.sources.columns import PIECE, Cells, TextColumn
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {"tab": "\t", "\\t": "\t"}  # other ways to write one
LOOKED_AT = 1 << 16  # characters by which the delimiter is found
csv.field_size_limit(min(sys.maxsize, (1 << 31) - 1))  # of the whole process; a cell may be as long as a C long says


def read_rows(
    text: str,
    name: str,
    delimiter: str | None = None,
    *,
    wanted: Sequence[str] = (),
) -> Rows:
    r"""The rows of a CSV text whose first row names the columns; blank lines do not count.

    Quoting is that of RFC 4180: a cell with the delimiter, a quote or a line break stands in quotes, a quote in it
    twice. delimiter: found where it is None. wanted: columns that will be asked for.
    Columns without a name of their own do not matter unless they are wanted. Raises DataError for rows with too few or
    too many cells, and quotes that do not close.

    >>> rows = read_rows('name,note\nx,"a, b"\n\ny,\n', "small.csv")
    >>> rows.columns, list(rows.lines)
    ({'name': ['x', 'y'], 'note': ['a, b', '']}, [2, 4])
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    file = io.StringIO(text, newline="")
    return Rows.joined(read_pieces(file, name, delimiter, wanted=wanted), digest)


def read_pieces(
    text: TextIO,
    name: str,
    delimiter: str | None = None,
    size: int = PIECE,
    *,
    wanted: Sequence[str] = (),
    only: bool = False,
    decimal: str | None = None,
) -> Iterator[Rows]:
    """As `read_rows`, so many rows at a time, so that a file of any size is read in bounded memory.

    only: whether to keep the columns that are wanted alone. decimal: the sign of decimals; found where it is None.
    """
    table = _Table(text, name, delimiter, wanted, only)
    for lines, found in table.pieces(size):
        columns: dict[str, Cells] = {key: TextColumn(cells) for key, cells in found.items()}
        yield Rows(name, columns, array("I", lines), "", decimal, table.delimiter)


class _Table:
    """A CSV text whose header is read. kept: the columns that are kept, by their places."""

    def __init__(self, text: TextIO, name: str, delimiter: str | None, wanted: Sequence[str], only: bool) -> None:
        first = text.read(LOOKED_AT) + text.readline()
        begin, first, given = _sep_line(first)
        self.name, self.delimiter = name, delimiter or given or find_delimiter(first, wanted)
        self._records = _records(itertools.chain(io.StringIO(first, newline=""), text), name, self.delimiter, begin)
        _, self._header = next(self._records, (1, []))
        if not self._header:
            raise DataError(f"{name} is empty: the first row should name the columns")
        self.kept = {k: self._header[k] for k in _kept(self._header, name, wanted, only)}

    def pieces(self, size: int) -> Iterator[tuple[list[int], dict[str, Sequence[str]]]]:
        """The lines where rows begin, and their cells by column; DataError where there is no row."""
        header, name, count = self._header, self.name, 0
        while piece := list(itertools.islice(self._records, size)):
            table = [_fitting(row, header, name, line, self.delimiter) for line, row in piece]
            count += len(piece)
            cells = enumerate(zip(*table, strict=True))
            yield [line for line, _ in piece], {self.kept[k]: _unix(each) for k, each in cells if k in self.kept}
        if not count:
            raise DataError(f"{name} has no rows below its header ({', '.join(header)})")


def _sep_line(first: str) -> tuple[int, str, str | None]:
    """A first line such as "sep=;", which Excel reads: the line where the table begins, its text, its delimiter."""
    line, end, rest = first.partition("\n")
    sign = line.rstrip("\r")[4:]
    if line.lower().startswith("sep=") and len(sign) == 1 and end:
        return 2, rest, sign
    return 1, first, None


def find_delimiter(text: str, wanted: Sequence[str] = ()) -> str:
    r"""The delimiter of a table that begins with this text.

    It is the one that gives the columns that are wanted; else the one that gives most cells, as many in every row.

    >>> find_delimiter("a;b\n1,5;2,5\n"), find_delimiter("text\nyes, no\n", ["text"])
    (';', ',')
    """
    scores = {}
    for rank, delimiter in enumerate(DELIMITERS):
        rows = _sample(text, delimiter)
        header = [cell.strip() for cell in rows[0]] if rows else []
        widths = Counter(map(len, rows[:-1] or rows))
        same = widths[len(header)] / max(1, sum(widths.values()))
        has = sum(name in header for name in wanted)
        scores[delimiter] = (has, same if len(header) > 1 else 0.5, len(header) if same == 1 else 0, -rank)
    return max(scores, key=lambda delimiter: scores[delimiter])


def _sample(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > 50:
                break
    except csv.Error:
        pass
    return rows


def _kept(header: list[str], name: str, wanted: Sequence[str], only: bool) -> list[int]:
    """The columns that are kept: those with a name of their own. A twin may not be asked for."""
    times = Counter(header)
    for column in wanted:
        if times[column] > 1:
            raise DataError(f"{name}:1: two columns are named {column!r}: give each a name of its own")
    asked = {column.strip() for column in wanted}
    own = [k for k, column in enumerate(header) if times[column] == 1]
    found = [k for k in own if header[k].strip() in asked]
    return found if only and len(found) == len(asked) else own


def _fitting(row: list[str], header: list[str], name: str, line: int, delimiter: str) -> list[str]:
    """A row with as many cells as there are columns: empty ones at its end do not count, nor columns without a name."""
    if len(row) == len(header):
        return row
    if len(row) > len(header) and not any(cell.strip() for cell in row[len(header) :]):
        return row[: len(header)]
    if len(row) < len(header) and not any(header[len(row) :]):
        return row + [""] * (len(header) - len(row))
    raise DataError(
        f"{name}:{line}: cells in this row: {len(row)}, columns in the first: {len(header)} "
        f"({', '.join(header)}); is {delimiter!r} the delimiter? A cell that contains it has to stand in quotes"
    )


def _unix(cells: Sequence[str]) -> Sequence[str]:
    return [cell.replace("\r\n", "\n") for cell in cells] if any("\r\n" in cell for cell in cells) else cells


def _records(lines: Iterator[str], name: str, delimiter: str, begin: int) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line where it begins."""
    reader: Any = csv.reader(lines, delimiter=delimiter, strict=True)
    before = begin - 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = before + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}:{begin}: {error} in the row that begins here: see how quotes are placed") from None
