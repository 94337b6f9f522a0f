"""Numbers ahead of a series, in the units of its columns; beyond its end the model reads what it has predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.new_rows import SeriesReader
from minidl.data.rows import Rows
from minidl.generate.apply import apply
from minidl.model import Model
from minidl.predictor.answers import Answers
from minidl.system.errors import DataError, UsageError

Array = NDArray[Any]


@dataclass
class Forecasts:
    """Forecasting: a row is predicted from the window that ends `horizon` rows before it.

    model: a replica. reader: of numbers as in training.
    """

    model: Model
    reader: SeriesReader
    classes: tuple[str, ...] = ()
    piece: int | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that the model reads."""
        return self.reader.task.columns

    def from_list(self, items: Sequence[Any]) -> dict[str, Sequence[Any]]:
        """Rows of numbers (N, F) without headings, or a series (N,)."""
        table = np.asarray(items, dtype=np.float64)
        table = table[:, None] if table.ndim == 1 else table
        if table.ndim != 2 or table.shape[1] != len(self.reads):
            raise DataError(f"rows of {len(self.reads)} numbers are read ({', '.join(self.reads)}), got {table.shape}")
        return dict(zip(self.reads, table.T.tolist(), strict=True))

    def answer(self, rows: Rows, *, each_class: bool = False, ahead: int = 0) -> Answers:
        """A prediction beside each row that has a full window before it, and for rows beyond the end."""
        if each_class:
            raise UsageError("a forecast is a number: there are no classes whose probabilities could be told")
        task = self.reader.task
        series = self.reader.series(rows)
        first = task.window + task.horizon - 1  # row that has a full window before it
        if len(series) + min(ahead, 1) <= first:
            raise DataError(f"{rows.name}: {len(series)} rows are too few: a row is predicted from {first} before it")
        predicted = self._predict(series, first, ahead)
        values = np.full((len(rows), len(self.reader.targets)), np.nan)
        values[first:] = predicted[: max(0, len(rows) - first)]
        names = self._headings()
        columns = {name: values[:, k].tolist() for k, name in enumerate(names)}
        beyond = [dict(zip(names, row, strict=True)) for row in predicted[len(predicted) - ahead :].tolist()]
        return Answers(values if len(names) > 1 else values[:, 0], None, columns, beyond)

    def notes(self) -> list[str]:
        """Nothing: what cannot be read is refused."""
        return []

    def _headings(self) -> list[str]:
        targets = self.reader.targets
        return ["prediction"] if len(targets) == 1 else [f"prediction:{name}" for name in targets]

    def _predict(self, series: Array, first: int, ahead: int) -> Array:
        """The rows from `first` on, and `ahead` more, in units; those whose window is known at once."""
        horizon, end = self.reader.task.horizon, len(series) + ahead
        predicted: list[Array] = []
        row = first
        while row < end:
            stop = min(end, len(series) + horizon)
            found = self._direct(series, np.arange(row, stop) - horizon)
            predicted.append(found)
            row = stop
            if row < end:
                beyond = np.concatenate(predicted)[len(series) - row :]
                series = np.concatenate([series, self._fed_back(beyond)])
        return np.concatenate(predicted)

    def _direct(self, series: Array, ends: Array) -> Array:
        outputs = np.array(apply(self.model, self.reader.windows(series, ends), lambda y, _: y.copy()))
        return self.reader.unscale(outputs, self.reader.targets)

    def _fed_back(self, predicted: Array) -> Array:
        """Predicted rows (n, K) as rows that the model reads (n, F)."""
        targets, reads = self.reader.targets, self.reads
        missing = [name for name in reads if name not in targets]
        if missing:
            raise UsageError(
                f"the model reads {', '.join(missing)}, which it does not predict: it can look "
                f"{self.reader.task.horizon} rows ahead, and no further"
            )
        return self.reader.scale(predicted[:, [targets.index(name) for name in reads]], reads)
