"""Readers of long series: numbers of each step, and those that are predicted of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge

from minidl.data.batches import Array
from minidl.data.independent import Independent, Order
from minidl.data.padded import PaddedBatches
from minidl.data.sources.rows import Rows
from minidl.data.tasks.gaps import read_numbers
from minidl.data.tasks.reader import Answers, Reader
from minidl.data.tasks.scaling import Scaling


@dataclass(frozen=True)
class SeriesReader(Reader):
    """A series step by step. inputs, outputs: the columns that are read and predicted, with their scales.

    horizon: how many rows after the step that was read last the predicted one stands.
    """

    inputs: Scaling
    outputs: Scaling
    horizon: Annotated[int, Ge(0)] = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return self.inputs.columns

    @property
    def targets(self) -> tuple[str, ...]:
        return self.outputs.columns

    def headings(self) -> list[str]:
        """The columns of answers."""
        return ["prediction"] if len(self.targets) == 1 else [f"prediction:{name}" for name in self.targets]

    def pair(self, rows: Rows) -> tuple[Array, Array]:
        """What is read (N, F), and what is predicted (N, K), both scaled."""
        return self.scaled(rows)[: len(rows) - self.horizon], self._scaled(rows, self.outputs)[self.horizon :]

    def scaled(self, rows: Rows) -> Array:
        """What is read of all rows (N, F)."""
        return self._scaled(rows, self.inputs)

    def _scaled(self, rows: Rows, scaling: Scaling) -> Array:
        return scaling.apply(read_numbers(rows, scaling.columns, gaps=False)).astype(np.float32)

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Independent:
        """The series as one long sequence; `minidl.predictor.stream` reads it window by window."""
        x, y = self.pair(rows) if targets else (self.scaled(rows), None)
        return PaddedBatches([x], None if y is None else [y], batch_size, shuffle=False, name="x")

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """Numbers in the units of the file, of the steps (T, 1, K) one after the other."""
        numbers = self.outputs.undo(outputs[:, 0])
        return {name: numbers[:, k].tolist() for k, name in enumerate(self.headings())}
