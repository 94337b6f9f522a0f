"""Regression: one number, or several, for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from annotated_types import Len

from minidl.data.baselines import mean_value
from minidl.data.batches import Array, ArraySpec
from minidl.data.independent import Independent, Order
from minidl.data.sources.rows import Rows
from minidl.data.tasks.gaps import read_numbers
from minidl.data.tasks.reader import Answers
from minidl.data.tasks.scaling import Scaling
from minidl.data.tasks.sequence_task import SequenceReader, SequenceTask
from minidl.data.tasks.time_order import one_of_each


@dataclass(frozen=True)
class NumberReader(SequenceReader):
    """Sequences, and numbers for each. outputs: the columns of the numbers, with their scales."""

    outputs: Scaling

    @property
    def targets(self) -> tuple[str, ...]:
        return self.outputs.columns

    def headings(self) -> list[str]:
        return ["prediction"] if len(self.targets) == 1 else [f"prediction:{name}" for name in self.targets]

    def numbers(self, rows: Rows, members: Sequence[Order]) -> Array:
        return self.outputs.apply(numbers_of(rows, self.targets, members)).astype(np.float64)

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """Numbers in the units of the file: "prediction", or "prediction:COLUMN" for each of several columns."""
        return dict(zip(self.headings(), self.outputs.undo(outputs).T.tolist(), strict=False))


def numbers_of(rows: Rows, names: tuple[str, ...], members: Sequence[Order]) -> Array:
    """The numbers of each example (N, K), which are the same in all of its rows."""
    if len(members) < len(rows):
        for name in names:
            one_of_each(rows, name, list(members))
    firsts = np.array([group[0] for group in members])
    found: Array = read_numbers(rows, names, gaps=False)[firsts]
    return found


@dataclass(frozen=True)
class Regression(SequenceTask):
    """Numbers for a whole sequence.        ids (T, B) or x (T, B, F), lengths (B,) -> targets (B, K)

    `predict` (K): the columns of the numbers. Each is standardised by its mean and deviation in the training part.
    """

    predict: Annotated[tuple[str, ...], Len(1)] = field(kw_only=True)

    @property
    def asked(self) -> tuple[str, ...]:
        return self.predict

    def learn(self, rows: Rows, members: Sequence[Order], parts: list[Order], base: dict[str, Any]) -> NumberReader:
        numbers = numbers_of(rows, self.predict, members)
        return NumberReader(**base, outputs=Scaling.learn(numbers[parts[0]], self.predict, rows.name))

    def target_spec(self, reader: NumberReader) -> ArraySpec:
        return ArraySpec("float", len(self.predict), ("B", len(self.predict)))

    def describe(self, reader: NumberReader, examples: Any, parts: list[Order]) -> dict[str, Any]:
        targets = examples.targets
        found = mean_value(targets[parts[0]], targets[parts[1]]) if parts[1].size else {}
        return {"facts": {"outputs": len(self.predict)}, "metadata": {}, "baselines": found}
