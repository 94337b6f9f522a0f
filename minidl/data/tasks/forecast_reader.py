"""Readers of series: windows, and the numbers that stand some rows after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Len, Lt

from minidl.data.batches import Array
from minidl.data.independent import Independent, Order
from minidl.data.sources.rows import Rows
from minidl.data.tasks.gaps import features, read_numbers, width
from minidl.data.tasks.reader import Answers, Reader
from minidl.data.tasks.scaling import Scaling
from minidl.data.tasks.task import Missing
from minidl.data.tasks.time_order import series
from minidl.data.tasks.windows import Windows

Quantiles = Annotated[tuple[Annotated[float, Gt(0), Lt(1)], ...], Len(1)] | None


@dataclass(frozen=True)
class ForecastReader(Reader):
    """Windows of series, and the numbers that stand after each.

    inputs, outputs: the columns that are read and predicted, with their scales. window (T): rows that are seen.
    horizon: how many rows after the last of them the target stands. path: whether all rows up to there are targets.
    quantiles: that are predicted of each number. known: columns that are known ahead. group, time, missing: as in the
    table.
    """

    inputs: Scaling
    outputs: Scaling
    window: Annotated[int, Gt(0)]
    horizon: Annotated[int, Gt(0)]
    path: bool = False
    quantiles: Quantiles = None
    known: Scaling | None = None
    group: str | None = None
    time: str | None = None
    missing: Missing = "error"

    @property
    def columns(self) -> tuple[str, ...]:
        known = () if self.known is None else self.known.columns
        return (*self.inputs.columns, *known, *filter(None, (self.group, self.time)))

    @property
    def targets(self) -> tuple[str, ...]:
        return self.outputs.columns

    @property
    def features(self) -> int:
        """How many numbers a step of a window has."""
        known = 0 if self.known is None else len(self.known.columns)
        return width(len(self.inputs.columns), self.missing) + known

    @property
    def steps(self) -> tuple[int, ...]:
        """How many rows after a window its targets stand."""
        return tuple(range(1, self.horizon + 1)) if self.path else (self.horizon,)

    def headings(self) -> list[str]:
        """The columns of answers, one for each output of the model: of each step those of one row."""
        return [name for step in self.steps for name in self.headings_of_row(f":+{step}" if self.path else "")]

    def headings_of_row(self, step: str = "") -> list[str]:
        """The columns of what is predicted of one row: of each target its quantiles."""
        plain = len(self.targets) == 1 and self.quantiles is None
        return [
            "prediction" + ("" if plain else f":{name}") + step + (f":{quantile:g}" if quantile is not None else "")
            for name in self.targets
            for quantile in self.quantiles or (None,)
        ]

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Windows:
        return self.windows(rows, series(rows, self.group, self.time), targets=targets, batch_size=batch_size)

    def windows(
        self,
        rows: Rows,
        ordered: Sequence[Order],
        *,
        targets: bool,
        batch_size: int = 32,
        cuts: Sequence[Sequence[int]] | None = None,
    ) -> Windows:
        """The windows of the series whose rows these are. cuts: of each, places that no window may cross."""
        gaps = self.missing != "error"
        numbers = read_numbers(rows, self.inputs.columns, gaps=gaps or self.known is not None)
        outputs = self.outputs.apply(read_numbers(rows, self.targets, gaps=gaps)) if targets else None
        known = None if self.known is None else self.known.apply(read_numbers(rows, self.known.columns, gaps=False))
        parts, places, segments, last = [], [], [], 0
        for k, order in enumerate(ordered):
            order, marks = self._present(rows, numbers, order, cuts[k] if cuts else ())
            parts.append(features(numbers[order], self.inputs, self.missing))
            places.append(order)
            segments.append(last + np.cumsum(marks))
            last += int(np.sum(marks)) + 1
        place = np.concatenate(places)
        return Windows(
            np.concatenate(parts),
            None if outputs is None else outputs[place],
            self.window,
            self.horizon,
            batch_size,
            shuffle=False,
            segments=np.concatenate(segments),
            path=self.path,
            known=None if known is None else known[place],
            rows=place,
        )

    def _present(self, rows: Rows, numbers: Array, order: Order, cuts: Sequence[int]) -> tuple[Order, Array]:
        """The rows of a series that are read, and a mark where a row does not follow the one before it."""
        marks = np.zeros(len(order), np.int64)
        marks[[cut for cut in cuts if cut < len(order)]] = 1
        empty = np.isnan(numbers[order])
        if self.missing == "drop":
            kept: Any = ~empty.any(axis=-1)
            marks = np.cumsum(marks) + np.cumsum(~kept)
            return order[kept], np.diff(marks[kept], prepend=marks[kept][:1]) > 0
        if self.missing == "error" and empty.any():  # only rows to come, of which nothing but the known is there
            there: Any = ~empty.all(axis=-1)
            ahead = len(order) - int(there[::-1].argmax())
            if empty[:ahead].any():
                i, k = (int(n) for n in np.argwhere(empty[:ahead])[0])
                name, row = self.inputs.columns[k], int(order[i])
                raise rows.error(row, f"column {name!r} has {rows.column(name)[row]!r}, which is no finite number")
        return order, marks

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """Numbers in the units of the file, by the columns of `headings`."""
        count = len(self.quantiles or (None,))
        shaped = outputs.reshape(len(outputs), len(self.steps), len(self.targets), count)
        numbers = self.outputs.undo(shaped.swapaxes(-1, -2)).swapaxes(-1, -2).reshape(len(outputs), -1)
        return {name: numbers[:, k].tolist() for k, name in enumerate(self.headings())}
