"""Forecasting: windows of a series of numbers, and what stands some rows after each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Len
from numpy.typing import NDArray

from minidl.data.baselines import last_value
from minidl.data.batches import ArraySpec, Dataset, split_slices
from minidl.data.independent import Independent, Order
from minidl.data.rows import Rows
from minidl.data.task import SplitAndBatch, Task
from minidl.system.errors import DataError

Series = NDArray[np.float64]


class Windows(Independent):
    """Windows of a series: "x" (T, B, F), and "targets" (B, K), which stand `horizon` rows after the last row of each.

    inputs (N, F), outputs (N, K): the series. window: T. A window begins at every row from which it and its target lie
    within the series.

    >>> rows = np.arange(5.0)[:, None]
    >>> batch = Windows(rows, 10 * rows, window=2, horizon=2, batch_size=8, shuffle=False).batch(0).inputs
    >>> batch["x"][..., 0].T.tolist(), batch["targets"].tolist()
    ([[0.0, 1.0], [1.0, 2.0]], [[30.0], [40.0]])
    """

    def __init__(
        self,
        inputs: Series,
        outputs: Series,
        window: int,
        horizon: int,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        count = len(inputs) - window - horizon + 1
        super().__init__(count, batch_size, seed, shuffle, tokens=count * window)
        self._inputs, self._outputs = inputs, outputs
        self._window, self._horizon = window, horizon

    def take(self, chosen: Order) -> dict[str, NDArray[Any]]:
        """The windows that begin at these rows."""
        rows = np.arange(self._window)[:, None] + chosen
        return {"x": self._inputs[rows], "targets": self._outputs[rows[-1] + self._horizon]}


@dataclass(frozen=True)
class Forecasting(Task):
    """Numbers some rows ahead, from those before.        x (T, B, F) -> targets (B, K)

    A row is a step in time; the parts follow one another. Each column is standardised, (value - mean) / standard
    deviation, both of the training part. `columns` (F): what is read. `window` (T): rows that are seen. `horizon`:
    how many rows after the last of them the target stands. `predict` (K): columns of the target; `columns` if None.
    """

    columns: Annotated[tuple[str, ...], Len(1)]
    window: Annotated[int, Gt(0)]
    horizon: Annotated[int, Gt(0)] = 1
    predict: Annotated[tuple[str, ...], Len(1)] | None = None

    def dataset(self, rows: Rows, deal: SplitAndBatch) -> Dataset:
        """The series as standardised windows."""
        parts = split_slices(len(rows), deal.split, least=self.window + self.horizon, what="rows")
        predict = self.predict or self.columns
        names = list(dict.fromkeys((*self.columns, *predict)))
        series, legend = _standardised(rows, names, parts[0])
        inputs = series[:, [names.index(name) for name in self.columns]]
        outputs = series[:, [names.index(name) for name in predict]]

        def windows(part: slice, shuffle: bool) -> Windows:
            sizes = (self.window, self.horizon, deal.batch_size)
            return Windows(inputs[part], outputs[part], *sizes, deal.seed, shuffle)

        train = windows(parts[0], deal.shuffle)
        return Dataset(
            train=train,
            validation=windows(parts[1], False) if len(series[parts[1]]) else None,
            test=windows(parts[2], False) if len(series[parts[2]]) else None,
            inputs={
                "x": ArraySpec("float", inputs.shape[1], ("T", "B", inputs.shape[1])),
                "targets": ArraySpec("float", outputs.shape[1], ("B", outputs.shape[1])),
            },
            facts={
                "features": inputs.shape[1],
                "outputs": outputs.shape[1],
                "train_sequences": train.count,
                "train_tokens": parts[0].stop,
            },
            vocabulary=None,
            digest=rows.digest,
            unit="step",
            baselines=last_value(outputs[parts[1]], self.window, self.horizon),
            legend={"columns": legend, "predict": list(predict)},
        )


def _standardised(rows: Rows, names: list[str], training: slice) -> tuple[Series, dict[str, dict[str, float]]]:
    """The columns (N, F) in standard deviations from their mean, and both for each column."""
    series = rows.numbers(names)
    mean, deviation = series[training].mean(axis=0), series[training].std(axis=0)
    for name, spread in zip(names, deviation, strict=True):
        if not spread > 0:
            raise DataError(f"{rows.name}: column {name!r} is the same in all rows of the training part: leave it out")
    scales = zip(names, mean.tolist(), deviation.tolist(), strict=True)
    return (series - mean) / deviation, {name: {"mean": m, "deviation": s} for name, m, s in scales}
