"""One block of memory from which a program takes all its arrays, planned before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.engine.memory_limit import Sized, fitting
from minidl.graph.arrays import Shape

Array = NDArray[Any]
NOTHING = bytes(64)  # as much as the longest number
ALIGNMENT = 64  # bytes: a cache line, and the width of the widest vector registers

LARGE = 1 << 28  # bytes that are not written before somebody asked whether they are there


def aligned(size: int) -> NDArray[np.uint8]:
    """So many bytes that begin with a cache line, so that no vector of a row lies across two."""
    raw = np.empty(size + ALIGNMENT, np.uint8)  # unlike np.zeros, asks for huge pages
    skip = -raw.ctypes.data % ALIGNMENT
    return raw[skip : skip + size]


def zeros(size: int, dtype: DTypeLike) -> Array:
    """An aligned vector of zeros; a large one takes memory only where it is written, so that it can be measured."""
    count = size * np.dtype(dtype).itemsize
    if count > LARGE:
        raw = np.zeros(count + ALIGNMENT, np.uint8)
        skip = -raw.ctypes.data % ALIGNMENT
        untouched: Array = raw[skip : skip + count].view(dtype)
        return untouched
    vector: Array = aligned(count).view(dtype)
    vector[...] = 0
    return vector


@dataclass(frozen=True)
class Request:
    """An array that is wanted from call `first` to call `last` of a program."""

    shape: Shape
    dtype: DTypeLike
    first: int
    last: int

    @property
    def size(self) -> int:
        """Bytes, rounded up to whole cache lines."""
        return -(-math.prod(self.shape) * np.dtype(self.dtype).itemsize // ALIGNMENT) * ALIGNMENT


def plan(requests: Mapping[Hashable, Request]) -> tuple[dict[Hashable, int], int]:
    """An offset for each request, and the total; arrays that are never wanted at the same time may share bytes.

    What is wanted all the time comes first, side by side. Of the rest the largest comes first, each at the lowest place
    that is free while it is wanted.
    """
    first = min((wanted.first for wanted in requests.values()), default=0)
    last = max((wanted.last for wanted in requests.values()), default=0)
    offsets: dict[Hashable, int] = {}
    base = 0
    for key, wanted in requests.items():
        if (wanted.first, wanted.last) == (first, last):
            offsets[key] = base
            base += wanted.size
    rest = sorted((item for item in requests.items() if item[0] not in offsets), key=lambda item: -item[1].size)
    placed = np.empty((4, len(rest)), np.int64)  # a row each: first and last step, offset and end
    for count, (key, wanted) in enumerate(rest):
        firsts, lasts, starts, ends = placed[:, :count]
        beside = (firsts <= wanted.last) & (lasts >= wanted.first)
        offsets[key] = _lowest_gap(base, wanted.size, starts[beside], ends[beside])
        placed[:, count] = wanted.first, wanted.last, offsets[key], offsets[key] + wanted.size
    return offsets, max(base, int(placed[3].max(initial=base)))


def _lowest_gap(lowest: int, size: int, starts: Array, ends: Array) -> int:
    """The lowest place with so much room between what lies from `starts` to `ends`."""
    order = np.argsort(starts, kind="stable")
    free = np.maximum.accumulate(np.concatenate(([lowest], ends[order])))  # from where on, up to each next start
    wide = np.flatnonzero(free[:-1] + size <= starts[order])
    return int(free[wide[0] if wide.size else -1])


def sizes(requests: Mapping[Hashable, Request]) -> list[Sized]:
    """What each array is called, its shape and its bytes, for those who have to say that they do not fit."""
    return [
        ("/".join(map(str, key)) if isinstance(key, tuple) else str(key), wanted.shape, wanted.size)
        for key, wanted in requests.items()
    ]


class DryRunAllocator:
    """Measures what programs would take from an arena: its arrays have shapes, but no memory and no values."""

    def __init__(self) -> None:
        self.total = 0
        self.arrays: list[Sized] = []

    def take(self, requests: Mapping[Hashable, Request]) -> dict[Hashable, Array]:
        """An array without memory for each request."""
        self.total += plan(requests)[1]
        self.arrays += sizes(requests)
        return {key: _without_memory(wanted) for key, wanted in requests.items()}


def _without_memory(wanted: Request) -> Array:
    """An array all of whose elements are the same bytes, which cannot be written; soon made, for there are many."""
    return np.ndarray(wanted.shape, wanted.dtype, NOTHING, strides=(0,) * len(wanted.shape))


class Arena:
    """A block that grows when a program needs more; programs bound before it grew have to be bound again."""

    def __init__(self) -> None:
        self.block: NDArray[np.uint8] = np.empty(0, np.uint8)
        self.generation = 0

    def take(self, requests: Mapping[Hashable, Request]) -> dict[Hashable, Array]:
        """An array for each request, its content undefined."""
        offsets, total = plan(requests)
        if total > self.block.size:
            with fitting(total, sizes(requests)):
                self._grow(total)
        return {key: self._view(offsets[key], wanted) for key, wanted in requests.items()}

    def _grow(self, total: int) -> None:
        self.block = aligned(total)
        self.generation += 1

    def _view(self, offset: int, wanted: Request) -> Array:
        count = math.prod(wanted.shape) * np.dtype(wanted.dtype).itemsize
        return self.block[offset : offset + count].view(wanted.dtype).reshape(wanted.shape)
