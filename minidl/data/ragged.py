"""Sequences of different lengths in one array, one behind the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minidl.data.batches import Array


class Ragged:
    """Sequences that lie one behind the other: sequence i is values[starts[i]:starts[i + 1]].

    >>> ragged = Ragged(np.arange(5), [2, 0, 3])
    >>> [ragged[i].tolist() for i in range(len(ragged))]
    [[0, 1], [], [2, 3, 4]]
    """

    def __init__(self, values: Array, lengths: Iterable[int] | Array) -> None:
        self.values = values
        self.lengths = np.asarray(lengths if isinstance(lengths, np.ndarray) else list(lengths), np.int32)
        self.starts = np.zeros(len(self.lengths) + 1, np.int64)
        np.cumsum(self.lengths, out=self.starts[1:])

    @classmethod
    def of(cls, sequences: Iterable[Array]) -> Ragged:
        """Sequences that are arrays of their own, put together."""
        found = list(sequences)
        return cls(np.concatenate(found), [len(sequence) for sequence in found])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: int) -> Array:
        return self.values[self.starts[i] : self.starts[i + 1]]

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def inside(self, chosen: Array) -> Array:
        """The values of these sequences, put together."""
        kept = np.zeros(len(self), bool)
        kept[chosen] = True
        found: Array = self.values[np.repeat(kept, self.lengths)]
        return found


class RaggedBuilder:
    """Sequences that come many at a time, put one behind the other in one array, which is not copied at the end.

    kind: of the values, unless one comes that does not fit. about: how many there may be; the rest is never taken.

    >>> builder = RaggedBuilder(np.uint8, 2)
    >>> builder.add(np.array([1, 2, 3]), np.array([2, 1]))
    >>> builder.done()[1].tolist()
    [3]
    """

    def __init__(self, kind: Any, about: int) -> None:
        self._values, self._used, self._lengths = np.empty(max(about, 1), kind), 0, [np.zeros(0, np.int32)]

    def add(self, values: Array, lengths: Array) -> None:
        """The values of some sequences, and how many each has."""
        end = self._used + len(values)
        if len(values) and int(values.max()) > np.iinfo(self._values.dtype).max:
            self._values = self._values.astype(values.dtype)
        if end > len(self._values):
            self._values = np.resize(self._values, max(end, 2 * len(self._values)))
        self._values[self._used : end] = values
        self._used = end
        self._lengths.append(lengths.astype(np.int32))

    def done(self) -> Ragged:
        """All sequences."""
        return Ragged(self._values[: self._used], np.concatenate(self._lengths))


def smallest(largest: int) -> Any:
    """The smallest type of integers without sign that holds numbers up to `largest`.

    >>> smallest(255), smallest(70_000)
    (<class 'numpy.uint8'>, <class 'numpy.uint32'>)
    """
    return np.min_scalar_type(largest).type
