"""Series in a table: rows put in order by a column of time, kept apart by a column of groups, and what is odd told."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minidl.data.independent import Order
from minidl.data.sources.columns import NumberColumn
from minidl.data.sources.rows import Rows

logger = logging.getLogger("minidl")
FORMATS = (
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%Y-%m",
)
Times = NDArray[np.float64]


def series(rows: Rows, group: str | None, time: str | None, *, tell: bool = False) -> list[Order]:
    """The rows of each series in their order: by time where a column of it is named, else as in the file.

    group: the column by which series are kept apart; None: all rows are one. tell: say what is odd about the order.
    """
    found = groups(rows, group)
    if time is None:
        return found
    times = parse_times(rows, time)
    ordered = [members[np.argsort(times[members], kind="stable")] for members in found]
    if tell:
        _tell(rows, time, times, found, ordered)
    return ordered


def groups(rows: Rows, group: str | None) -> list[Order]:
    """The rows of each group, in the order in which groups begin.

    >>> [members.tolist() for members in groups(Rows.of({"g": ["a", "b", "a"]}), "g")]
    [[0, 2], [1]]
    """
    if group is None:
        return [np.arange(len(rows))]
    numbers: dict[str, int] = {}
    ids = np.fromiter((numbers.setdefault(cell, len(numbers)) for cell in rows.column(group)), np.intp, len(rows))
    order = np.argsort(ids, kind="stable")
    return list(np.split(order, np.cumsum(np.bincount(ids))[:-1]))


def parse_times(rows: Rows, name: str) -> Times:
    """A column of times as seconds, or numbers as they are; DataError for the first cell that is neither.

    Dates are those of ISO 8601, or one of the usual orders of day, month and year that fits all rows.
    """
    cells = rows.column(name)
    if isinstance(cells, NumberColumn):
        return cells.numbers
    try:
        return np.fromiter(map(float, cells), float, len(cells))
    except ValueError:
        pass
    found, row = _with(cells, datetime.datetime.fromisoformat)
    if found is not None:
        return found
    for form in FORMATS:
        found, _ = _with(cells, lambda cell, form=form: datetime.datetime.strptime(cell, form))
        if found is not None:
            return found
    raise rows.error(
        row, f"column {name!r} has {cells[row]!r}, which is no time: write it as 2024-12-31 23:59, or a number"
    )


def _with(cells: Sequence[str], parse: object) -> tuple[Times | None, int]:
    """The times, or None and the first cell that is none."""
    times = np.empty(len(cells))
    zero = datetime.datetime(1970, 1, 1)
    for i, cell in enumerate(cells):
        try:
            moment = parse(cell.strip())  # type: ignore[operator]
        except ValueError:
            return None, i
        times[i] = (moment.replace(tzinfo=None) - (moment.utcoffset() or datetime.timedelta()) - zero).total_seconds()
    return times, 0


def _tell(rows: Rows, name: str, times: Times, found: list[Order], ordered: list[Order]) -> None:
    """Say in one sentence each that rows were out of order, stand for the same time, or are missing."""
    moved = sum(int((members != order).sum()) for members, order in zip(found, ordered, strict=True))
    if moved:
        logger.warning("%s: %d rows were not in the order of %r, and were sorted", rows.name, moved, name)
    twice, gaps, line = 0, 0, 0
    for order in ordered:
        steps = np.diff(times[order])
        twice += int((steps == 0).sum())
        usual = np.median(steps[steps > 0]) if (steps > 0).any() else 0.0
        wide = np.flatnonzero(steps > 1.5 * usual) if usual else np.zeros(0, np.intp)
        if len(wide) and not gaps:
            line = rows.lines[int(order[wide[0]])]
        gaps += len(wide)
    if twice:
        logger.warning("%s: %d rows stand for the same %r as the row before them", rows.name, twice, name)
    if gaps:
        logger.warning(
            "%s: %d gaps in %r, the first after line %d: rows are missing there", rows.name, gaps, name, line
        )


def one_of_each(rows: Rows, name: str, members: list[Order]) -> list[str]:
    """The cell of each group in a column that says the same in all rows of it; DataError where it does not."""
    cells = rows.column(name)
    found = []
    for group in members:
        first = cells[int(group[0])]
        for i in group[1:].tolist():
            if cells[i] != first:
                raise rows.error(i, f"column {name!r} has {cells[i]!r}, but {first!r} in other rows of the same group")
        found.append(first)
    return found
