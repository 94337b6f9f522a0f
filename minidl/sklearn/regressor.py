"""SequenceRegressor: one number, or several, for a whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length

from minidl.graph.arrays import Array
from minidl.sklearn.number_estimator import NumberEstimator
from minidl.sklearn.sequences import read_sequences


class SequenceRegressor(NumberEstimator):
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
        targets = self._learn_units(numbers)
        self._fit(sequences, targets, self._spec)
        return self

    def predict(self, X: Any) -> Array:
        """The numbers of each sequence, (N,) or (N, K) as y was."""
        return self._as_given(self._in_units(self._outputs(X)))
