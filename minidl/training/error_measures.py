"""How far numbers were missed, and how often they lie below quantiles: sums over examples, and what follows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from minidl.graph.arrays import Array

ROUNDING = 1e-9
LEAST_SPREAD = 1e-12  # of targets that vary, relative to their size: less is what rounding leaves of a constant


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

    def __add__(self, other: ErrorSums) -> ErrorSums:
        """The sums over the examples of both."""
        found = ErrorSums()
        found.count = self.count + other.count
        both = self._sums.size and other._sums.size
        found._sums = self._sums + other._sums if both else self._sums if self._sums.size else other._sums
        return found

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

    def r2_of_columns(self, columns: int) -> Array:
        """R² of each column (K,), over all steps (P, K) that are predicted of it; NaN where its targets do not vary."""
        _, squared, total, squares = (sums.reshape(-1, columns).sum(axis=0) for sums in self._sums)
        examples = self.count * self._sums[0].size // columns
        spread = squares - total**2 / examples
        varies = spread > LEAST_SPREAD * squares
        found: Array = np.where(varies, 1 - squared / np.where(varies, spread, 1), np.nan)
        return found

    def r2(self) -> float:
        """R², averaged over the numbers whose targets vary; NaN where none does."""
        found = self.r2_of_columns(self._sums[0].size)
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


class Coverage:
    """How many targets lie below each of their predicted quantiles, which should be as many as the quantile says.

    >>> coverage = Coverage()
    >>> coverage.add((0.1, 0.9), np.array([[0.0, 2.0], [0.0, 2.0]]), np.array([1.0, 3.0]))
    >>> coverage.report()
    {'0.1': {'below': 0.0}, '0.9': {'below': 0.5}, '0.1 to 0.9': {'between': 0.5}}
    """

    def __init__(self) -> None:
        self.count = 0
        self._below: dict[float, int] = {}

    def add(self, quantiles: Sequence[float], predictions: Array, targets: Array) -> None:
        """Count predictions (..., Q) of targets (...)."""
        self.count += targets.size
        for k, quantile in enumerate(quantiles):
            below = int(np.count_nonzero(targets <= predictions[..., k]))
            self._below[quantile] = self._below.get(quantile, 0) + below

    def report(self) -> dict[str, dict[str, float]]:
        """The share below each quantile, and of pairs that lie as far from the middle, the share between them."""
        shares = {quantile: count / self.count for quantile, count in self._below.items()}
        found = {f"{quantile:g}": {"below": share} for quantile, share in shares.items()}
        for low, high in itertools.combinations(sorted(shares), 2):
            if abs(low + high - 1) < ROUNDING:
                found[f"{low:g} to {high:g}"] = {"between": shares[high] - shares[low]}
        return found
