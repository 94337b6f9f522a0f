"""Rows of numbers as sequences: the rows of a group, in their order, are one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from minidl.data.batches import ArraySpec
from minidl.data.ragged import Ragged
from minidl.data.sources.rows import Rows
from minidl.data.tasks.gaps import features, read_numbers, width
from minidl.data.tasks.scaling import Scaling
from minidl.data.tasks.sequence_input import SequenceInput, Sequences
from minidl.data.tasks.time_order import series
from minidl.data.vocabulary import Vocabulary


@dataclass(frozen=True)
class NumberInput(SequenceInput):
    """How rows of numbers are read.

    scaling: the columns, with their scales. group: the column that says which rows belong together. time: by which they
    are put in order. missing: what becomes of empty cells. max_length: steps that are read at most.
    """

    scaling: Scaling
    group: str
    time: str | None = None
    missing: Literal["error", "drop", "fill", "mask"] = "error"
    max_length: Annotated[int, Gt(0)] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.scaling.columns, self.group, *((self.time,) if self.time else ()))

    @property
    def name(self) -> str:
        return "x"

    def spec(self, vocabulary: Vocabulary | None) -> ArraySpec:
        count = width(len(self.scaling.columns), self.missing)
        return ArraySpec("float", count, ("T", "B", count))

    def empty(self, rows: Rows) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = np.any([rows.is_gap(name) for name in self.scaling.columns], axis=0)
        return found

    def read(self, rows: Rows, vocabulary: Vocabulary | None, unseen: Counter[str]) -> Sequences:
        numbers = read_numbers(rows, self.scaling.columns, gaps=self.missing != "error")
        members = series(rows, self.group, self.time)
        if self.max_length is not None:
            members = [group[: self.max_length] for group in members]
        return Sequences(Ragged.of(features(numbers[group], self.scaling, self.missing) for group in members), members)
