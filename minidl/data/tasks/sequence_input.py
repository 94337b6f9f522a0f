"""What a sequence is made of: the symbols of a text, or rows of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.config.declared import SnakeCased
from minidl.data.batches import ArraySpec
from minidl.data.independent import Order
from minidl.data.ragged import Ragged
from minidl.data.sources.rows import Rows
from minidl.data.vocabulary import Vocabulary


class Each(Sequence[Order]):
    """The rows of examples that are one row each.

    >>> Each(3)[1].tolist()
    [1]
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: Any) -> Any:
        if not -self._count <= i < self._count:
            raise IndexError(i)
        return np.arange(i, i + 1)


@dataclass(frozen=True)
class Sequences:
    """Sequences that were read, and the rows of the table that each is made of."""

    values: Ragged
    members: Sequence[Order]

    @property
    def firsts(self) -> Order:
        """The first row of each, by the file."""
        if isinstance(self.members, Each):
            return np.arange(len(self.members), dtype=np.int32)
        return np.array([rows.min() for rows in self.members], np.intp)


@dataclass(frozen=True)
class SequenceInput(SnakeCased, family="sequence_input"):
    """Base of what is read."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The model's input: "ids" or "x"."""
        raise NotImplementedError

    def spec(self, vocabulary: Vocabulary | None) -> ArraySpec:
        """What this input of the model looks like."""
        raise NotImplementedError

    def empty(self, rows: Rows) -> Any:
        """Which rows have an empty cell among those that are read (N,)."""
        raise NotImplementedError

    def read(self, rows: Rows, vocabulary: Vocabulary | None, unseen: Counter[str]) -> Sequences:
        """The sequences of a table, in the order of their first rows."""
        raise NotImplementedError
