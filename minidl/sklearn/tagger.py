"""SequenceTagger: one class for each step of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidl.data.batches import ArraySpec
from minidl.data.tasks.reader import softmax
from minidl.graph.arrays import Array
from minidl.graph.layer import Node
from minidl.graph.symbol import Input, Symbol
from minidl.layers import SoftmaxCE
from minidl.sklearn.estimator import SequenceEstimator
from minidl.sklearn.estimator_network import Network
from minidl.sklearn.sequences import read_sequences


class SequenceTagger(SequenceEstimator):
    """One class for each step of a sequence; parameters as in `SequenceEstimator`. y: of each sequence its tags, a list
    or, where each is one character, a text.

    >>> texts, tags = ["a1b2", "12", "ab"] * 10, ["xdxd", "dd", "xx"] * 10
    >>> model = SequenceTagger(units=8, embedding=4, epochs=20, random_state=0).fit(texts, tags)
    >>> model.predict(["b1"]), model.score(texts, tags)
    ([['x', 'd']], 1.0)
    """

    _loss = SoftmaxCE

    def fit(self, X: Any, y: Any) -> SequenceTagger:
        """Learn the tags of each step of sequences X."""
        sequences = read_sequences(self, X, self.tokens, fitted=False)
        tags = [list(each) for each in y]
        _check_lengths(sequences.values, tags)
        self.classes_ = np.unique([tag for each in tags for tag in each])
        if len(self.classes_) < 2:
            raise ValueError(f"all steps have the tag {self.classes_[0]!r}: there is nothing to tell apart")
        numbers = [np.searchsorted(self.classes_, each).astype(np.int64) for each in tags]
        self._fit(sequences, numbers, ArraySpec("int", len(self.classes_), ("T", "B")))
        return self

    def _answer(self, network: Network, read: Symbol, lengths: Input, outputs: int) -> Node:
        return network.each_step(read, lengths, outputs)

    def predict_proba(self, X: Any) -> list[Array]:
        """The probability of each tag for each step of each sequence (T, C), in the order of `classes_`."""
        return [softmax(output) for output in self._outputs(X)]

    def predict(self, X: Any) -> list[list[Any]]:
        """The tags of each sequence."""
        return [self.classes_[output.argmax(axis=1)].tolist() for output in self._outputs(X)]

    def score(self, X: Any, y: Any) -> float:
        """The share of steps whose tag is right."""
        found, wanted = self.predict(X), [list(each) for each in y]
        _check_lengths(found, wanted)
        pairs = [(a, b) for said, asked in zip(found, wanted, strict=True) for a, b in zip(said, asked, strict=True)]
        return float(np.mean([a == b for a, b in pairs]))


def _check_lengths(sequences: Sequence[Any], tags: Sequence[Sequence[Any]]) -> None:
    if len(sequences) != len(tags):
        raise ValueError(f"X has {len(sequences)} sequences, y has {len(tags)}")
    for i, (steps, each) in enumerate(zip(sequences, tags, strict=True)):
        if len(steps) != len(each):
            raise ValueError(
                f"sequence {i} has {len(steps)} steps and {len(each)} tags; there should be a tag for each"
            )
