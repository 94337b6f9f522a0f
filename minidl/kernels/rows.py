"""What is done to rows in kernels, in plain loops: numba takes seconds to compile what assigns to a slice."""

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
def put(row: Array, target: Array) -> None:
    """target = row."""
    for j in range(len(target)):
        target[j] = row[j]


@part
def add_rows(d: Array, total: Array) -> None:
    """total += Σ rows of d."""
    for n in range(len(d)):
        row = d[n]
        for j in range(len(row)):
            total[j] += row[j]


@part
def scatter(ids: Array, d: Array, out: Array) -> None:
    """out[id] += the row of d, for each id."""
    for n in range(len(ids)):
        row, more = out[ids[n]], d[n]
        for j in range(len(more)):
            row[j] += more[j]
