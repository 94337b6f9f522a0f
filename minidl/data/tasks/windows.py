"""Windows of series of numbers, and the rows that follow each."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.data.batches import Array
from minidl.data.independent import Independent, Order
from minidl.data.seasons import rows_back


class Windows(Independent):
    """Windows of series: "x" (T, B, F), and "targets" (B, K), which stand `horizon` rows after the last row of each.

    inputs (N, F), outputs (N, K): the series, one below the other. window: T. segments (N,): which rows belong
    together; a window and its target lie in one segment, and a target with NaN is none. path: all rows up to the
    horizon are targets (B, horizon K), one after the other. known (N, G): columns that are known ahead; beside row t
    stand those of row t + horizon. rows: the row of the table of each row of the series. Without outputs there are no
    targets, and the last window ends with its series.

    >>> rows = np.arange(5.0)[:, None]
    >>> batch = Windows(rows, 10 * rows, window=2, horizon=2, batch_size=8, shuffle=False).batch(0).inputs
    >>> batch["x"][..., 0].T.tolist(), batch["targets"].tolist()
    ([[0.0, 1.0], [1.0, 2.0]], [[30.0], [40.0]])
    """

    def __init__(
        self,
        inputs: Array,
        outputs: Array | None,
        window: int,
        horizon: int,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        *,
        segments: Array | None = None,
        path: bool = False,
        known: Array | None = None,
        rows: Order | None = None,
    ) -> None:
        self._window, self._horizon = window, horizon
        self._ahead = np.arange(1, horizon + 1) if path else np.array([horizon])
        self._inputs, self._outputs, self._known = inputs, outputs, known
        self.segments = np.zeros(len(inputs), np.int64) if segments is None else segments
        self.ends = self._find_ends()
        rows = np.arange(len(inputs)) if rows is None else rows
        count = len(self.ends)
        super().__init__(count, batch_size, seed, shuffle, tokens=count * window, rows=rows[self.ends])

    def _find_ends(self) -> Order:
        """The last rows of the windows."""
        reach = self._horizon if self._outputs is not None or self._known is not None else 0
        ends = np.arange(self._window - 1, len(self._inputs) - reach)
        same: Array = self.segments[ends - self._window + 1] == self.segments[ends + reach]
        if self._outputs is not None:
            there: Any = np.isfinite(self._outputs).all(axis=-1)
            same &= there[ends[:, None] + self._ahead].all(axis=-1)
        found: Order = ends[same]
        return found

    def take(self, chosen: Order) -> dict[str, Array]:
        """These windows."""
        ends = self.ends[chosen]
        rows = np.arange(1 - self._window, 1)[:, None] + ends
        taken = {"x": self._inputs[rows]}
        if self._known is not None:
            taken["x"] = np.concatenate([taken["x"], self._known[rows + self._horizon]], axis=-1)
        if self._outputs is not None:
            taken["targets"] = self._outputs[ends[:, None] + self._ahead].reshape(len(ends), -1)
        return taken

    def season_before(self, chosen: Order, season: int = 1) -> tuple[Array, Array]:
        """The newest row known at the end of each window that is whole seasons before its target, and the target.

        Both (N, K), where there is such a row in the same segment. A season of 1 repeats the last row of the window.
        """
        assert self._outputs is not None
        ends = self.ends[chosen]
        before = ends[:, None] + self._ahead - rows_back(self._ahead, season)
        guess = self._outputs[before].reshape(len(ends), -1)
        there = np.isfinite(guess).all(axis=-1) & (before >= 0).all(axis=-1)
        there &= (self.segments[before] == self.segments[ends][:, None]).all(axis=-1)
        targets = self._outputs[ends[:, None] + self._ahead].reshape(guess.shape)
        return guess[there], targets[there]

    def outputs_of(self, chosen: Order) -> Array:
        """The rows (N, K) from the first to the last end of these windows, in the series that has most of them."""
        assert self._outputs is not None
        ends = self.ends[chosen]
        series = self.segments[ends]
        of_longest = ends[series == np.bincount(series).argmax()]
        rows: Array = self._outputs[of_longest.min() : of_longest.max() + 1]
        return rows
