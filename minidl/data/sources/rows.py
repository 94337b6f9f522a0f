"""Rows of a table by column, each with the line where it begins, so that an unfit cell can be pointed at."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice, pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from minidl.data.sources.numbers import GAPS, parse_numbers, what_is_wrong
from minidl.system.errors import DataError, suggest

PIECE = 1024  # cells that are handled at a time
LARGE = 1 << 32  # bytes of a column for which 32 bits a place are too few


class TextColumn(Sequence[str]):
    """Cells in one buffer of UTF-8, which takes a fifth of the memory of as many Python strings."""

    def __init__(self, cells: Iterable[str] = ()) -> None:
        self._bytes, self._ends = bytearray(), array("I", [0])
        self.extend(cells)

    def extend(self, cells: Iterable[str]) -> None:
        """Add cells."""
        rest = iter(cells)
        while piece := list(islice(rest, PIECE)):
            text = "".join(piece)
            coded = [text.encode()] if text.isascii() else [_encoded(cell) for cell in piece]
            lengths = map(len, piece if text.isascii() else coded)
            self._bytes += b"".join(coded)
            if len(self._bytes) >= LARGE and self._ends.typecode == "I":
                self._ends = array("Q", self._ends)
            self._ends.extend(islice(accumulate(lengths, initial=self._ends[-1]), 1, None))

    def pieces(self) -> Iterator[list[str]]:
        """The cells in their order, many at a time."""
        for start in range(0, len(self), PIECE):
            ends = self._ends[start : start + PIECE + 1]
            raw, first = self._bytes[ends[0] : ends[-1]], ends[0]
            if raw.isascii():
                text = raw.decode()
                yield [text[a - first : b - first] for a, b in pairwise(ends)]
            else:
                yield [_decoded(raw[a - first : b - first]) for a, b in pairwise(ends)]

    def size(self) -> int:
        """Bytes of all cells together."""
        return len(self._bytes)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, i: int) -> str: ...

    @overload
    def __getitem__(self, i: slice) -> list[str]: ...

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        k = range(len(self))[i]
        return _decoded(self._bytes[self._ends[k] : self._ends[k + 1]])

    def __iter__(self) -> Iterator[str]:
        return (cell for piece in self.pieces() for cell in piece)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __repr__(self) -> str:
        return repr(list(self))


def _encoded(cell: str) -> bytes:
    return cell.encode("utf-8", "surrogatepass")


def _decoded(raw: bytearray) -> str:
    return raw.decode("utf-8", "surrogatepass")


class NumberColumn(Sequence[str]):
    """Numbers of a file that holds numbers, NaN where there is none; as cells they read as Python writes them."""

    def __init__(self, numbers: Any = ()) -> None:
        self.numbers: NDArray[np.float64] = np.asarray(numbers, np.float64)

    def extend(self, cells: NumberColumn) -> None:
        """Add numbers."""
        self.numbers = np.concatenate([self.numbers, cells.numbers])

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, i: int) -> str: ...

    @overload
    def __getitem__(self, i: slice) -> list[str]: ...

    def __getitem__(self, i: Any) -> Any:
        return [_cell(x) for x in self.numbers[i]] if isinstance(i, slice) else _cell(self.numbers[i])


def _cell(number: float) -> str:
    if np.isnan(number):
        return ""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))


Cells = TextColumn | NumberColumn


@dataclass(frozen=True)
class Rows:
    """The cells of a table.

    name: of the file, for messages. columns: by their names; those without a name of their own are left out. lines:
    where each row begins, from 1. digest: a sha256 of the file. decimal: the sign between whole and broken part; None:
    found. delimiter: what stands between cells, if it is a file of that kind.
    """

    name: str
    columns: dict[str, Any]  # Cells; lists become such
    lines: Sequence[int]
    digest: str
    decimal: str | None = None
    delimiter: str | None = None

    def __post_init__(self) -> None:
        for key, cells in self.columns.items():
            if isinstance(cells, list):
                self.columns[key] = TextColumn(cells)

    def __len__(self) -> int:
        return len(self.lines)

    @classmethod
    def of(cls, columns: Mapping[str, Iterable[str]], name: str = "the table") -> Rows:
        """Rows of cells that are at hand.

        >>> Rows.of({"text": ["one", "two"]}).column("text")[1]
        'two'
        """
        found: dict[str, Cells] = {key: TextColumn(cells) for key, cells in columns.items()}
        return cls(name, found, range(1, 1 + max((len(cells) for cells in found.values()), default=0)), "")

    @classmethod
    def joined(cls, pieces: Iterable[Rows], digest: str = "") -> Rows:
        """Rows that came in pieces, of which there is at least one. What an earlier one does not have is empty."""
        columns: dict[str, Cells] = {}
        lines = array("I")
        for piece in pieces:
            for key, cells in piece.columns.items():
                if key not in columns:
                    columns[key] = TextColumn([""] * len(lines)) if lines else type(cells)()
                if type(columns[key]) is not type(cells):
                    columns[key] = TextColumn(columns[key])
                columns[key].extend(cells)
            lines.extend(piece.lines)
        return replace(piece, columns=columns, lines=lines, digest=digest)

    def column(self, name: str) -> Cells:
        """The cells of a column; DataError names the columns that there are."""
        if name not in self.columns:
            stripped = [known for known in self.columns if known.strip() == name]
            if len(stripped) == 1:
                name = stripped[0]
                return self.column(name)
            raise self._no_column(name)
        found: Cells = self.columns[name]
        return found

    def _no_column(self, name: str) -> DataError:
        near, known = suggest(name, self.columns), ", ".join(self.columns)
        other = next((sign for sign in ",;\t|" if sign != self.delimiter and sign in known.replace(", ", "")), None)
        hint = f"; is {other!r} the delimiter?" if other and len(self.columns) == 1 else ""
        return DataError(f"{self.name}:1: there is no column {name!r}{near} (columns: {known}){hint}")

    def numbers(self, names: Sequence[str], *, gaps: bool = False) -> NDArray[np.float64]:
        """Columns of numbers side by side (N, F); DataError for the first cell that is none, or is not finite.

        gaps: whether a cell may be empty, or say so (NA, nan, null, ...); it is NaN then.
        """
        table = np.empty((len(self), len(names)))
        for k, name in enumerate(names):
            cells = self.column(name)
            if isinstance(cells, NumberColumn):
                table[:, k] = cells.numbers
                found = np.flatnonzero(~np.isfinite(table[:, k]) & ~(gaps & np.isnan(table[:, k])))
            else:
                found = parse_numbers(cells, self.decimal, table[:, k], gaps=gaps)
            if len(found):
                row = int(found[0])
                raise self.error(row, f"column {name!r} has {cells[row]!r}, {what_is_wrong(cells[row], cells)}")
        return table

    def is_gap(self, name: str) -> NDArray[np.bool_]:
        """Which cells of a column are empty, or say that there is nothing."""
        cells = self.column(name)
        if isinstance(cells, NumberColumn):
            return np.isnan(cells.numbers)
        return np.fromiter((cell.strip() in GAPS for cell in cells), bool, len(cells))

    def error(self, row: int, message: str) -> DataError:
        """What is wrong with a row, with its place."""
        return DataError(f"{self.name}:{self.lines[row]}: {message}")

    def forget(self, name: str) -> None:
        """Let go of a column that was read and is asked for no more, which may be most of what is in memory."""
        self.columns.pop(name, None)

    def take(self, chosen: Sequence[int] | NDArray[Any]) -> Rows:
        """Some of the rows, in this order."""
        order = [int(i) for i in chosen]
        columns: dict[str, Cells] = {
            name: NumberColumn(cells.numbers[order])
            if isinstance(cells, NumberColumn)
            else TextColumn(cells[i] for i in order)
            for name, cells in self.columns.items()
        }
        lines = [self.lines[i] for i in order]
        return Rows(self.name, columns, lines, self.digest, self.decimal, self.delimiter)
