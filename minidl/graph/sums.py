"""Sums over a batch, in shares of its sequences that depend on the batch alone: each process gets the same bits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from minidl.graph.arrays import Array

T = TypeVar("T")
ROWS_OF_A_SHARE, MOST_SHARES = 8, 8  # sequences at the least, and shares at the most, in a sum
told: ContextVar[int | None] = ContextVar("told", default=None)  # how many the batch that is run now has


def shares(batch: int) -> int:
    """How many shares the sequences of a batch are summed in: a power of two, of at least 8 sequences each, at most 8.

    Share s of S of a batch of B sequences begins at sequence B s // S. The shares depend on the batch alone: not on the
    threads, nor on the steps, units or symbols.

    >>> shares(64), shares(17), shares(15), shares(1000)
    (8, 2, 1, 8)
    """
    if (given := told.get()) is not None:
        return given
    count = 1
    while count < MOST_SHARES and batch >= 2 * count * ROWS_OF_A_SHARE:
        count *= 2
    return count


@contextlib.contextmanager
def part_of_a_batch(count: int) -> Iterator[None]:
    """Here a batch is a part of another one, in which it has so many shares."""
    before = told.set(count)
    try:
        yield
    finally:
        told.reset(before)


def columns(batch: int, first: int, end: int, count: int) -> slice:
    """The sequences of these shares, out of so many.

    >>> columns(17, 1, 2, 2)
    slice(8, 17, None)
    """
    return slice(batch * first // count, batch * end // count)


def add_in_pairs(parts: Sequence[T]) -> T:
    """The sum of what shares or processes have, in the order of the tree.

    >>> add_in_pairs([1.0, 2.0, 4.0])
    7.0
    """
    if len(parts) == 1:
        return parts[0]
    left = (len(parts) + 1) // 2
    total: Any = add_in_pairs(parts[:left])
    return total + add_in_pairs(parts[left:])  # type: ignore[no-any-return]


def total_loss(losses: Array, axis: int = -1) -> Any:
    """The sum of the losses of a batch in double precision: within each share of the axis of sequences, then in pairs.

    >>> float(total_loss(np.ones((2, 17))))
    34.0
    """
    losses = np.atleast_1d(losses)
    batch = losses.shape[axis]
    count, dtype = shares(batch), np.result_type(losses, np.float64)
    parts = np.split(losses, [columns(batch, s, count, count).start for s in range(1, count)], axis)
    return add_in_pairs([np.ascontiguousarray(part).sum(dtype=dtype) for part in parts])
