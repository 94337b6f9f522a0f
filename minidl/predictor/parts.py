"""Rows of a file in parts that are answered one after the other, so that a file of any size takes little memory."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from minidl.data.independent import Order
from minidl.data.sources.rows import Rows
from minidl.data.tasks.forecast_reader import ForecastReader
from minidl.data.tasks.number_input import NumberInput
from minidl.data.tasks.reader import Reader
from minidl.data.tasks.time_order import groups, parse_times

logger = logging.getLogger("minidl")
LARGE = 1 << 21  # bytes of cells that are answered together, or as many as are read at a time
Pieces = Callable[[], Iterator[Rows]]


@dataclass(frozen=True)
class Part:
    """Rows that can be answered when nothing else is in memory.

    before: how many of the first rows have had their answer: what comes after them is predicted from them. last:
    whether there are no rows after these. mixed: whether the next rows may be of any series, not of the last one alone.
    """

    rows: Rows
    before: int = 0
    last: bool = True
    mixed: bool = False

    @property
    def fresh(self) -> Rows:
        """The rows that are to be answered."""
        return self.rows.between(self.before, len(self.rows))

    def ends(self, series: Order) -> bool:
        """Whether no more rows of this series come."""
        return self.last or (not self.mixed and int(series[-1]) < len(self.rows) - 1)


def parts(reader: Reader, pieces: Pieces, size: int) -> Iterator[Part]:
    """The rows of a file, which `pieces` reads from its begin whenever it is called; about `size` of them in a part.

    Where the rows of a group are one example, a part ends with a group, and the rows of each have to be together. Of a
    series that goes on, the rows from which the next ones are predicted stand in the next part again. Either needs rows
    in the order of time; a file of several pieces where they are not is one part.
    """
    group, time = _ties(reader)
    found = _with_last(_gathered(pieces(), size))
    first, alone = next(found)
    many = not alone and (group is not None or time is not None)
    mixed, unfit = _order_of(_gathered(pieces(), size), group, time) if many else (None, None)
    if not isinstance(reader, ForecastReader):
        unfit = unfit or mixed
    if unfit is not None:
        logger.info("%s: rows of a series do not follow one another here: the file is in memory as a whole", unfit)
        yield Part(Rows.joined(pieces()))
        return
    held, before = None, 0
    for piece, last in itertools.chain([(first, alone)], found):
        rows = piece if held is None else Rows.joined([held, piece])
        if isinstance(reader, ForecastReader):
            yield Part(rows, before, last, mixed is not None)
            held = rows.take(_needed(reader, rows, groups(rows, group)[0 if mixed else -1 :]))
            before = len(held)
        else:
            end = len(rows) if last or group is None else int(groups(rows, group)[-1][0])
            if end:
                yield Part(rows.between(0, end), last=last)
            held = rows.between(end, len(rows)) if end < len(rows) else None


def _ties(reader: Reader) -> tuple[str | None, str | None]:
    """The columns of groups and of times, where these tie rows together."""
    read = reader if isinstance(reader, ForecastReader) else getattr(reader, "input", None)
    return (read.group, read.time) if isinstance(read, (ForecastReader, NumberInput)) else (None, None)


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


def _needed(reader: ForecastReader, rows: Rows, members: list[Order]) -> Order:
    """The last rows of these series, from which those after them are predicted."""
    gaps = [rows.is_gap(name) for name in reader.inputs.columns] if reader.missing == "fill" else []
    found = []
    for order in members:
        start = max(0, len(order) - (reader.window + reader.horizon - 1))
        for gap in gaps:  # of every column the value that fills its gaps
            there = np.flatnonzero(~gap[order[: start + 1]])
            start = int(there[-1]) if len(there) else 0
        found.append(order[start:])
    return np.concatenate(found)


def _order_of(pieces: Iterable[Rows], group: str | None, time: str | None) -> tuple[str | None, str | None]:
    """Where a group goes on after others, and where a row is earlier than the last of its group; None if nowhere."""
    latest: dict[int, float] = {}
    mixed, current = None, 0
    for rows in pieces:
        cells = [""] * len(rows) if group is None else rows.column(group)
        times = np.zeros(len(rows)) if time is None else parse_times(rows, time)
        for i, (cell, moment) in enumerate(zip(map(hash, cells), times.tolist(), strict=True)):
            if moment < latest.get(cell, -np.inf):
                return mixed, f"{rows.name}:{rows.lines[i]}"
            if cell != current and cell in latest:
                mixed = mixed or f"{rows.name}:{rows.lines[i]}"
            latest[cell], current = moment, cell
    return mixed, None
