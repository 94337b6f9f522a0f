"""Signs that the rows of a series are out of order, or of several series, in columns that nobody named."""

from __future__ import annotations

import logging

import numpy as np

from minidl.data.batches import Array
from minidl.data.sources.columns import NumberColumn
from minidl.data.sources.numbers import is_number
from minidl.data.sources.rows import Rows
from minidl.data.tasks.time_order import groups, parse_times
from minidl.system.errors import DataError

logger = logging.getLogger("minidl")
TIMES = ("time", "date", "datetime", "timestamp", "day", "hour", "ds", "t")  # what columns of times are called
LEAST = 3  # rows of each series


def tell_odd_order(rows: Rows, used: set[str], *, time: str | None, group: str | None) -> None:
    """Say which column may be the time, and which keeps series apart, where rows look as if they should be named.

    used: the columns of the task. time, group: those that are named.
    """
    others = [name for name in rows.columns if name not in used]
    at = time or next((name for name in others if _is_time(rows, name)), None)
    times = None if at is None else parse_times(rows, at)
    by = None if group is not None else _mixing(rows, [name for name in others if name != at], times)
    if by is not None:
        count = len(groups(rows, by))
        logger.warning(
            "%s: rows of %d series seem to be mixed, told apart by %r: name it with group, or they are read as one",
            rows.name,
            count,
            by,
        )
    elif times is not None and time is None and group is None and (np.diff(times) < 0).any():
        line = rows.lines[int(np.flatnonzero(np.diff(times) < 0)[0]) + 1]
        logger.warning(
            "%s:%d: rows are not in the order of %r: name it with time, or they are read as they stand",
            rows.name,
            line,
            at,
        )


def _is_time(rows: Rows, name: str) -> bool:
    """Whether a column is one of times: by its cells where these are dates, by its name where they are numbers."""
    cells = rows.column(name)
    numbers = isinstance(cells, NumberColumn) or is_number(cells[0])
    if numbers and name.strip().lower() not in TIMES:
        return False
    try:
        return bool(np.isfinite(parse_times(rows, name)).all())
    except DataError:
        return False


def _mixing(rows: Rows, names: list[str], times: Array | None) -> str | None:
    """A column by which rows are in order, or in blocks, where they are not as a whole."""
    for name in names:
        cells = rows.column(name)
        if isinstance(cells, NumberColumn) or is_number(cells[0]):
            continue
        found = groups(rows, name)
        if not 2 <= len(found) <= len(rows) // LEAST:
            continue
        if times is not None:
            mixed = (np.diff(times) <= 0).any() and all((np.diff(times[each]) > 0).all() for each in found)
        else:
            mixed = all(each[-1] - each[0] == len(each) - 1 for each in found)  # one block each
        if mixed:
            return name
    return None
