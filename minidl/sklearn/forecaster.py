"""Forecaster: numbers some rows ahead of a series."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, validate_data

from minidl.graph.arrays import Array
from minidl.sklearn.number_estimator import NumberEstimator
from minidl.sklearn.sequences import Numbers


class Forecaster(NumberEstimator):
    """Numbers `horizon` rows ahead of a series X (N, F) or (N,), from the `window` rows before; further parameters as
    in `SequenceEstimator`. y (N,) or (N, K): what is predicted; X itself where it is None.

    >>> series = np.sin(0.3 * np.arange(200))
    >>> model = Forecaster(window=8, units=8, epochs=20, random_state=0).fit(series[:150])
    >>> ahead = model.forecast(10)
    >>> bool(np.abs(ahead - series[150:160]).max() < 0.3)
    True
    """

    def __init__(
        self,
        *,
        window: int = 16,
        horizon: int = 1,
        cell: Any = "gru",
        units: int = 32,
        depth: int = 1,
        dropout: float = 0.0,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 1e-2,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            cell=cell,
            units=units,
            depth=depth,
            dropout=dropout,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            random_state=random_state,
        )
        self.window, self.horizon = window, horizon

    def fit(self, X: Any, y: Any = None) -> Forecaster:
        """Learn how a series goes on."""
        series = self._series(X, reset=True)
        wanted = X if y is None else y
        numbers = check_array(wanted, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(series, numbers)
        if len(series) <= self.horizon:
            raise ValueError(f"X has {len(series)} sample(s): it takes more than {self.horizon} to look so far ahead")
        self._feeds_back = y is None
        targets = self._learn_units(numbers)[self.horizon :]
        self._fit(self._windows(series, len(series) - self.horizon), targets, self._spec)
        self.tail_ = series[-self.window - self.horizon :]
        return self

    def predict(self, X: Any) -> Array:
        """What is predicted for each row of a series, (N,) or (N, K), from as many rows before it as there are.

        For the first rows, before which there is nothing, it is the mean of those of training.
        """
        check_is_fitted(self, "model_")
        series = self._series(X, reset=False)
        table = np.tile(self.y_mean_, (len(series), 1))
        if len(series) > self.horizon:
            table[self.horizon :] = self._ahead_of(series, len(series) - self.horizon)
        return self._as_given(table)

    def forecast(self, steps: int, X: Any = None) -> Array:
        """The `steps` rows after the end of X, or of what was learnt from; it reads what it has predicted."""
        check_is_fitted(self, "model_")
        series = self.tail_ if X is None else self._series(X, reset=False)
        if steps > self.horizon and not self._feeds_back:
            raise ValueError(f"y is not X: the series can be looked ahead of by {self.horizon} rows, and no further")
        found = np.empty((0, self.n_outputs_))
        while len(found) < steps:
            rows = np.concatenate([series, found]) if len(found) else series
            more = self._ahead_of(rows, len(rows))[len(rows) - self.horizon :] if len(rows) >= self.horizon else None
            if more is None:
                raise ValueError(f"X has {len(rows)} rows: it takes {self.horizon} to look so far ahead")
            found = np.concatenate([found, more])
        return self._as_given(found[:steps])

    def _series(self, X: Any, *, reset: bool) -> Array:
        is_series = getattr(X, "ndim", 0) == 1 or (isinstance(X, list) and X and np.isscalar(X[0]))
        table = np.asarray(X)[:, None] if is_series else X
        found: Array = validate_data(self, table, dtype=np.float64, reset=reset)
        return found

    def _windows(self, series: Array, count: int) -> Numbers:
        """The windows that end with each of the first rows; those at the start are shorter."""
        return Numbers([series[max(0, end + 1 - self.window) : end + 1] for end in range(count)])

    def _ahead_of(self, series: Array, count: int) -> Array:
        """What is said of the windows that end with each of the first rows (count, K)."""
        return self._in_units(self._said(self._windows(series, count)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags
