"""Rows of a table by column, each with the line where it begins, so that an unfit cell can be pointed at."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.sources.columns import Cells, NumberColumn, TextColumn
from minidl.data.sources.numbers import GAPS, parse_numbers, what_is_wrong
from minidl.system.errors import DataError, suggest


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

    def size(self) -> int:
        """Bytes of all cells together."""
        return sum(cells.size() for cells in self.columns.values())

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
                found = parse_numbers(cells, self.decimal, table[:, k], gaps=gaps, others=self.columns.values())
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

    def between(self, start: int, stop: int) -> Rows:
        """Rows that follow one another.

        >>> Rows.of({"text": ["one", "two", "three"]}).between(1, 3).columns
        {'text': ['two', 'three']}
        """
        if (start, stop) == (0, len(self)):
            return self
        columns = {name: cells.between(start, stop) for name, cells in self.columns.items()}
        return replace(self, columns=columns, lines=self.lines[start:stop])

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
