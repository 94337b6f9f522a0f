"""How far numbers were missed: sums over examples for each number that is predicted, and what follows from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class ErrorSums:
    """Sums of errors e = prediction - target and of targets t, for each of the numbers (...) of an example.

        MAE = mean |e|      RMSE = sqrt(mean e²)      R² = 1 - Σ e² / Σ (t - mean t)²

    >>> sums = ErrorSums()
    >>> sums.add(np.array([[1.0], [4.0]]), np.array([[1.0], [2.0]]))
    >>> float(sums.mean_absolute()), float(sums.r2())
    (1.0, -7.0)
    """

    def __init__(self) -> None:
        self.count = 0
        self._sums: Array = np.zeros(0)  # |e|, e², t, t² of each number

    def add(self, predictions: Array, targets: Array) -> None:
        """Count examples (N, ...)."""
        errors, wanted = (array.astype(np.float64) for array in (predictions - targets, targets))
        sums = np.stack([each.sum(axis=0) for each in (np.abs(errors), errors**2, wanted, wanted**2)])
        self._sums = self._sums + sums if self._sums.size else sums
        self.count += len(wanted)

    def absolute(self) -> Array:
        """MAE of each number."""
        found: Array = self._sums[0] / self.count
        return found

    def squared(self) -> Array:
        """Mean squared error of each number."""
        found: Array = self._sums[1] / self.count
        return found

    def mean_absolute(self) -> float:
        """MAE over all numbers."""
        return float(self.absolute().mean())

    def root_mean_squared(self) -> float:
        """RMSE over all numbers."""
        return float(np.sqrt(self.squared().mean()))

    def r2_of_each(self, axis: tuple[int, ...] = ()) -> Array:
        """R² of each number, or over some of their axes together; NaN where the targets do not vary."""
        _, squared, total, squares = (self._sums[i].sum(axis=axis) for i in range(4))
        examples = self.count * int(np.prod([self._sums.shape[1:][k] for k in axis]))
        spread = squares - total**2 / examples
        varies = spread > 1e-12 * np.maximum(squares, 1e-300)
        return np.where(varies, 1 - squared / np.where(varies, spread, 1), np.nan)

    def r2(self) -> float:
        """R², averaged over the numbers whose targets vary; NaN where none does."""
        found = self.r2_of_each()
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")
