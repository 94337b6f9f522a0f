"""Empty cells among numbers: dropped with their row, filled with the value before, or masked."""

from __future__ import annotations

import numpy as np

from minidl.data.batches import Array
from minidl.data.sources.rows import Rows
from minidl.data.tasks.scaling import LARGEST, SMALLEST, Scaling


def read_numbers(rows: Rows, names: tuple[str, ...], *, gaps: bool) -> Array:
    """Columns of numbers (N, F), NaN where a cell is empty; DataError for one that no scale can be made of."""
    numbers = rows.numbers(names, gaps=gaps)
    sizes = np.abs(numbers)
    bad = (sizes > LARGEST) | ((sizes < SMALLEST) & (sizes > 0))
    if bad.any():
        row, k = (int(i) for i in np.argwhere(bad)[0])
        cell, what = rows.column(names[k])[row], "large" if sizes[row, k] > LARGEST else "small"
        raise rows.error(row, f"column {names[k]!r} has {cell}, too {what} to compute with: give it in another unit")
    return numbers


def forward_filled(numbers: Array, start: Array) -> Array:
    """NaN in the place of which stands the value before; `start` where there is none.

    >>> forward_filled(np.array([[np.nan], [1.0], [np.nan]]), np.array([9.0])).tolist()
    [[9.0], [1.0], [1.0]]
    """
    filled = np.vstack([start, numbers])
    there = ~np.isnan(filled)
    last = np.maximum.accumulate(np.where(there, np.arange(len(filled))[:, None], 0), axis=0)
    found: Array = np.take_along_axis(filled, last, axis=0)[1:]
    return found


def features(numbers: Array, scaling: Scaling, missing: str) -> Array:
    """Scaled numbers (T, F) of one series as a model reads them: filled, or 0 with 1 for present beside it (T, 2 F)."""
    if missing == "fill":
        numbers = forward_filled(numbers, np.array(scaling.mean))
    scaled = scaling.apply(numbers)
    if missing != "mask":
        return scaled
    present = ~np.isnan(scaled)
    return np.concatenate([np.where(present, scaled, 0.0), present], axis=-1)


def width(columns: int, missing: str) -> int:
    """How many features so many columns become."""
    return 2 * columns if missing == "mask" else columns
