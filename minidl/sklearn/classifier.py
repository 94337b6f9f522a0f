"""SequenceClassifier: one class for a whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from minidl.data.batches import ArraySpec
from minidl.data.tasks.reader import softmax
from minidl.graph.arrays import Array
from minidl.layers import SoftmaxCE
from minidl.sklearn.estimator import SequenceEstimator
from minidl.sklearn.sequences import read_sequences


class SequenceClassifier(ClassifierMixin, SequenceEstimator):  # type: ignore[misc]
    """One class for a whole sequence; parameters as in `SequenceEstimator`.

    >>> texts, classes = ["ab", "abab", "ba", "baba"] * 8, ["a", "a", "b", "b"] * 8
    >>> model = SequenceClassifier(units=8, embedding=4, epochs=30, random_state=0).fit(texts, classes)
    >>> model.predict(["ababab", "bababa"]).tolist(), model.score(texts, classes)
    (['a', 'b'], 1.0)
    """

    _loss = SoftmaxCE

    def fit(self, X: Any, y: Any) -> SequenceClassifier:
        """Learn the classes y (N,) of sequences X."""
        sequences = read_sequences(self, X, self.tokens, fitted=False)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        check_classification_targets(y)
        labels = column_or_1d(y, warn=True)
        check_consistent_length(sequences.values, labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {self.classes_[0]!r}")
        self._fit(sequences, numbers.astype(np.int64), ArraySpec("int", len(self.classes_), ("B",)))
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class (N, C), in the order of `classes_`."""
        return softmax(np.array(self._outputs(X)))

    def predict(self, X: Any) -> Array:
        """The most likely class of each sequence (N,)."""
        best = np.array([output.argmax() for output in self._outputs(X)])
        found: Array = self.classes_[best]
        return found
