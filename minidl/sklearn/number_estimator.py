"""What the estimators that answer with numbers have in common: targets in standard deviations, and their units."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from minidl.data.batches import ArraySpec
from minidl.graph.arrays import Array
from minidl.layers import MSE
from minidl.sklearn.estimator import SequenceEstimator


class NumberEstimator(RegressorMixin, SequenceEstimator):  # type: ignore[misc]
    """Base of the estimators that answer with K numbers; parameters as in `SequenceEstimator`."""

    _loss = MSE

    def _learn_units(self, y: Array) -> Array:
        """Targets (N,) or (N, K) in standard deviations (N, K); what undoes that is kept."""
        self._is_column, table = y.ndim == 1, y.reshape(len(y), -1)
        self.y_mean_, deviation = table.mean(axis=0), table.std(axis=0)
        self.y_scale_, self.n_outputs_ = np.where(deviation > 0, deviation, 1.0), table.shape[1]
        scaled: Array = ((table - self.y_mean_) / self.y_scale_).astype(np.float32)
        return scaled

    @property
    def _spec(self) -> ArraySpec:
        return ArraySpec("float", self.n_outputs_, ("B", self.n_outputs_))

    def _in_units(self, outputs: list[Array]) -> Array:
        """What the network says (N, K), in the units of the targets."""
        table: Array = np.array(outputs, dtype=np.float64) * self.y_scale_ + self.y_mean_
        return table

    def _as_given(self, table: Array) -> Array:
        """(N,) or (N, K), as the targets were."""
        return table[:, 0] if self._is_column else table

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
