"""How a column of times goes on beyond the end of a series."""

from __future__ import annotations

import datetime

import numpy as np

from minidl.data.sources.rows import Rows
from minidl.data.tasks.time_order import parse_times


def times_after(rows: Rows, name: str, count: int) -> list[str]:
    """The cells after the last one, at its usual distance from the one before, and written as it is.

    Nothing where it is written in a way that is not that of ISO 8601 or of numbers.

    >>> times_after(Rows.of({"t": ["2024-02-27", "2024-02-28"]}), "t", 2)
    ['2024-02-29', '2024-03-01']
    >>> times_after(Rows.of({"t": ["0.5", "1"]}), "t", 2)
    ['1.5', '2']
    """
    times, last = parse_times(rows, name), rows.column(name)[len(rows) - 1]
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    try:
        float(last)
        return [f"{times[-1] + (k + 1) * step:.12g}" for k in range(count)]
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(last.strip())
    except ValueError:
        return [""] * count
    separator = "T" if "T" in last else " "
    moments = [moment + datetime.timedelta(seconds=(k + 1) * step) for k in range(count)]
    return [each.isoformat(separator)[: len(last.strip())] for each in moments]
