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
from minidl.data.sources.rows import Rows
from minidl.data.tasks.reader import Answers, Array, Reader
from minidl.data.tasks.scaling import Scaling
from minidl.data.tasks.task import SplitAndBatch, Task

Series = NDArray[np.float64]


class Windows(Independent):
    """Windows of a series: "x" (T, B, F), and "targets" (B, K), which stand `horizon` rows after the last row of each.

    inputs (N, F), outputs (N, K): the series. window: T. A window begins at every row from which it and its target lie
    within the series. Without outputs there are no targets, and the last window ends with the series.

    >>> rows = np.arange(5.0)[:, None]
    >>> batch = Windows(rows, 10 * rows, window=2, horizon=2, batch_size=8, shuffle=False).batch(0).inputs
    >>> batch["x"][..., 0].T.tolist(), batch["targets"].tolist()
    ([[0.0, 1.0], [1.0, 2.0]], [[30.0], [40.0]])
    """

    def __init__(
        self,
        inputs: Series,
        outputs: Series | None,
        window: int,
        horizon: int,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        count = max(0, len(inputs) - window - (0 if outputs is None else horizon) + 1)
        rows = np.arange(count) + window - 1
        super().__init__(count, batch_size, seed, shuffle, tokens=count * window, rows=rows)
        self._inputs, self._outputs = inputs, outputs
        self._window, self._horizon = window, horizon

    def take(self, chosen: Order) -> dict[str, NDArray[Any]]:
        """The windows that begin at these rows."""
        rows = np.arange(self._window)[:, None] + chosen
        if self._outputs is None:
            return {"x": self._inputs[rows]}
        return {"x": self._inputs[rows], "targets": self._outputs[rows[-1] + self._horizon]}


@dataclass(frozen=True)
class ForecastReader(Reader):
    """Windows of a series, and the numbers that stand `horizon` rows after each.

    inputs, outputs: the columns that are read and predicted, with their scales. window (T): rows that are seen.
    """

    inputs: Scaling
    outputs: Scaling
    window: Annotated[int, Gt(0)]
    horizon: Annotated[int, Gt(0)]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.inputs.columns

    @property
    def targets(self) -> tuple[str, ...]:
        return self.outputs.columns

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Windows:
        inputs = self.inputs.apply(rows.numbers(self.columns))
        outputs = self.outputs.apply(rows.numbers(self.targets)) if targets else None
        return Windows(inputs, outputs, self.window, self.horizon, batch_size, shuffle=False)

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """Numbers in the units of the file: "prediction", or "prediction:COLUMN" for each of several columns."""
        numbers = self.outputs.undo(outputs)
        if len(self.targets) == 1:
            return {"prediction": numbers[:, 0].tolist()}
        return {f"prediction:{name}": numbers[:, k].tolist() for k, name in enumerate(self.targets)}


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
        read, asked = rows.numbers(self.columns), rows.numbers(predict)
        reader = ForecastReader(
            Scaling.learn(read[parts[0]], self.columns, rows.name),
            Scaling.learn(asked[parts[0]], predict, rows.name),
            self.window,
            self.horizon,
        )
        inputs, outputs = reader.inputs.apply(read), reader.outputs.apply(asked)

        def windows(part: slice, shuffle: bool) -> Windows:
            sizes = (self.window, self.horizon, deal.batch_size)
            return Windows(inputs[part], outputs[part], *sizes, deal.seed, shuffle)

        train = windows(parts[0], deal.shuffle)
        return Dataset(
            train=train,
            validation=windows(parts[1], False) if len(inputs[parts[1]]) else None,
            test=windows(parts[2], False) if len(inputs[parts[2]]) else None,
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
            metadata={"reader": reader.config()},
            reader=reader,
        )
