"""Sequences of different lengths in one array, one behind the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Ragged:
    """Sequences that lie one behind the other: sequence i is values[starts[i]:starts[i + 1]].

    >>> ragged = Ragged(np.arange(5), [2, 0, 3])
    >>> [ragged[i].tolist() for i in range(len(ragged))]
    [[0, 1], [], [2, 3, 4]]
    """

    def __init__(self, values: Array, lengths: Iterable[int] | Array) -> None:
        self.values = values
        self.lengths = np.asarray(lengths if isinstance(lengths, np.ndarray) else list(lengths), np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])

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


def smallest(largest: int) -> Any:
    """The smallest type of integers without sign that holds numbers up to `largest`.

    >>> smallest(255), smallest(70_000)
    (<class 'numpy.uint8'>, <class 'numpy.uint32'>)
    """
    return np.min_scalar_type(largest).type
