"""SequenceRegressor: one number, or several, for a whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length

from minidl.data.batches import ArraySpec
from minidl.graph.arrays import Array
from minidl.graph.layer import Node
from minidl.graph.symbol import Input
from minidl.layers import MSE
from minidl.sklearn.estimator import SequenceEstimator
from minidl.sklearn.sequences import read_sequences


class SequenceRegressor(RegressorMixin, SequenceEstimator):  # type: ignore[misc]
    """Numbers for a whole sequence; parameters as in `SequenceEstimator`.

    >>> sequences = [np.arange(n) for n in (2, 3, 4, 5, 6)] * 6
    >>> lengths = [len(sequence) for sequence in sequences]
    >>> model = SequenceRegressor(units=8, epochs=60, random_state=0).fit(sequences, lengths)
    >>> model.score(sequences, lengths) > 0.95
    True
    """

    def fit(self, X: Any, y: Any) -> SequenceRegressor:
        """Learn the numbers y (N,) or (N, K) of sequences X."""
        sequences = read_sequences(self, X, self.tokens, fitted=False)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        numbers = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(sequences.values, numbers)
        self._is_column = numbers.ndim == 1
        table = numbers.reshape(len(numbers), -1)
        self.y_mean_, deviation = table.mean(axis=0), table.std(axis=0)
        self.y_scale_ = np.where(deviation > 0, deviation, 1.0)
        self.n_outputs_ = table.shape[1]
        spec = ArraySpec("float", self.n_outputs_, ("B", self.n_outputs_))
        self._fit(sequences, ((table - self.y_mean_) / self.y_scale_).astype(np.float32), self.n_outputs_, spec)
        return self

    def _loss(self, answer: Node) -> Node:
        return MSE(name="loss")(answer, Input("targets", shape=("B", self.n_outputs_)))

    def predict(self, X: Any) -> Array:
        """The numbers of each sequence, (N,) or (N, K) as y was."""
        table: Array = np.array(self._outputs(X), dtype=np.float64) * self.y_scale_ + self.y_mean_
        return table[:, 0] if self._is_column else table

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
