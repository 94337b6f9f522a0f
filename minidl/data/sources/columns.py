"""Columns of a table: texts in one buffer, or numbers in one array."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice, pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

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

    def between(self, start: int, stop: int) -> TextColumn:
        """Cells that follow one another."""
        found, ends = TextColumn(), self._ends[start : stop + 1]
        found._bytes = self._bytes[ends[0] : ends[-1]]
        found._ends = array(ends.typecode, (end - ends[0] for end in ends))
        return found

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
        self._parts: list[NDArray[np.float64]] = [np.asarray(numbers, np.float64)]

    @property
    def numbers(self) -> NDArray[np.float64]:
        """All of them in one array."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def extend(self, cells: NumberColumn) -> None:
        """Add numbers."""
        self._parts.append(cells.numbers)

    def between(self, start: int, stop: int) -> NumberColumn:
        """Numbers that follow one another."""
        return NumberColumn(self.numbers[start:stop])

    def size(self) -> int:
        """Bytes of all numbers together."""
        return self.numbers.nbytes

    def __len__(self) -> int:
        return sum(map(len, self._parts))

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
