"""What is done to rows in kernels, in plain loops by index.

Numba takes seconds to compile what assigns to a slice, and a view of each row costs as much as the sums of a short one.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from minidl.kernels.compiler import part

Array = NDArray[Any]


@part
def clear(x: Array) -> None:
    """x = 0, for an array of any number of axes that is contiguous."""
    numbers, zero = x.reshape(x.size), x.dtype.type(0)
    for j in range(len(numbers)):
        numbers[j] = zero


@part
def fill_rows(row: Array, target: Array) -> None:
    """Every row of target = row."""
    N, width = target.shape
    for n in range(N):
        for j in range(width):
            target[n, j] = row[j]


@part
def add_to(target: Array, more: Array) -> None:
    """target += more, for rows."""
    N, width = target.shape
    for n in range(N):
        for j in range(width):
            target[n, j] += more[n, j]


@part
def add_rows(d: Array, lo: int, hi: int, totals: Array, s: int) -> None:
    """totals[s] += Σ rows lo to hi of d."""
    width = d.shape[1]
    for n in range(lo, hi):
        for j in range(width):
            totals[s, j] += d[n, j]


@part
def scatter(ids: Array, d: Array, lo: int, hi: int, out: Array, s: int) -> None:
    """out[s, id] += the row of d, for each id of rows lo to hi."""
    width = d.shape[1]
    for n in range(lo, hi):
        k = ids[n]
        for j in range(width):
            out[s, k, j] += d[n, j]
