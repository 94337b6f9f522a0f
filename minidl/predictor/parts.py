"""Rows of a file in parts that are answered one after the other, so that a file of any size takes little memory."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from minidl.data.sources.rows import Rows
from minidl.data.tasks.forecast_reader import ForecastReader
from minidl.data.tasks.number_input import NumberInput
from minidl.data.tasks.reader import Reader
from minidl.data.tasks.time_order import parse_times

logger = logging.getLogger("minidl")
LARGE = 1 << 21  # bytes of cells that are answered together, or as many as are read at a time
Pieces = Callable[[], Iterator[Rows]]


@dataclass(frozen=True)
class Part:
    """Rows that can be answered when nothing else is in memory.

    before: how many of the first rows have had their answer: what comes after them is predicted from them. last:
    whether there are no rows after these. Where there are, the series of the last row may go on.
    """

    rows: Rows
    before: int = 0
    last: bool = True

    @property
    def fresh(self) -> Rows:
        """The rows that are to be answered."""
        return self.rows.between(self.before, len(self.rows))


def parts(reader: Reader, pieces: Pieces, size: int) -> Iterator[Part]:
    """The rows of a file, which `pieces` reads from its begin whenever it is called; about `size` of them in a part.

    Where the rows of a group are one example, a part ends with a group. Of a series that goes on, the rows from which
    the next ones are predicted stand in the next part again. Either needs the rows of each group together and in the
    order of time; a file of several pieces where they are not is one part.
    """
    group, time, needed = _ties(reader)
    found = _with_last(_gathered(pieces(), size))
    first, alone = next(found)
    if not alone and (group or time) and (place := _scattered(_gathered(pieces(), size), group, time)):
        logger.info("%s: rows of a series do not follow one another here: the file is in memory as a whole", place)
        yield Part(Rows.joined(pieces()))
        return
    held, before = None, 0
    for piece, last in itertools.chain([(first, alone)], found):
        rows = piece if held is None else Rows.joined([held, piece])
        begin = 0 if group is None else _last_begin(rows, group)
        end = begin if group and not needed and not last else len(rows)
        if end > before or last:
            yield Part(rows.between(0, end), before, last)
        start = _start(reader, rows, begin, needed) if isinstance(reader, ForecastReader) else end
        held, before = (rows.between(start, len(rows)), end - start) if start < len(rows) else (None, 0)


def _ties(reader: Reader) -> tuple[str | None, str | None, int]:
    """The columns of groups and of times, and how many rows of a series the next one is predicted from at most."""
    if isinstance(reader, ForecastReader):
        return reader.group, reader.time, reader.window + reader.horizon - 1
    read = getattr(reader, "input", None)
    return (read.group, read.time, 0) if isinstance(read, NumberInput) else (None, None, 0)


def _gathered(pieces: Iterator[Rows], size: int) -> Iterator[Rows]:
    """So many rows at a time, or fewer where they are long."""
    held: list[Rows] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= size or sum(rows.size() for rows in held) >= LARGE:
            yield Rows.joined(held)
            held = []
    if held:
        yield Rows.joined(held)


def _with_last(pieces: Iterator[Rows]) -> Iterator[tuple[Rows, bool]]:
    piece = next(pieces)
    for following in pieces:
        yield piece, False
        piece = following
    yield piece, True


def _last_begin(rows: Rows, group: str) -> int:
    """Where the rows of the last group begin."""
    cells, i = rows.column(group), len(rows) - 1
    while i and cells[i - 1] == cells[i]:
        i -= 1
    return i


def _start(reader: ForecastReader, rows: Rows, begin: int, needed: int) -> int:
    """The first row of the last series from which rows after the last one are predicted."""
    start = max(begin, len(rows) - needed)
    if reader.missing == "fill":  # of every column the value that fills its gaps
        for name in reader.inputs.columns:
            there = np.flatnonzero(~rows.is_gap(name)[begin : start + 1])
            start = begin + int(there[-1]) if len(there) else begin
    return start


def _scattered(pieces: Iterable[Rows], group: str | None, time: str | None) -> str | None:
    """Where a row comes after those of other groups, or before the time of the last one; None if nowhere."""
    begun = set[int]()
    current, latest = None, 0.0
    for rows in pieces:
        cells = [""] * len(rows) if group is None else rows.column(group)
        times = np.zeros(len(rows)) if time is None else parse_times(rows, time)
        for i, (cell, moment) in enumerate(zip(cells, times.tolist(), strict=True)):
            again = moment < latest if cell == current else hash(cell) in begun
            if again:
                return f"{rows.name}:{rows.lines[i]}"
            begun.add(hash(cell))
            current, latest = cell, moment
    return None
