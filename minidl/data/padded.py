"""Batches of sequences of different lengths: padded to the longest of their batch, with the lengths beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.independent import Independent, Order

Ids = NDArray[Any]
PADDING, IGNORED = 0, -1  # ids past the end of a sequence, which lengths hide; targets that do not count
BATCHES_SORTED = 16  # together by length, so that a batch has sequences of about one length


class PaddedBatches(Independent):
    """Sequences as "ids" (T, B), "lengths" (B,), and "targets": a class of each sequence (B,) or each symbol (T, B).

    sequences: the ids of each. targets: one array (N,) of classes, or a list with an array of tags for each sequence.

    >>> batches = PaddedBatches([np.array([1, 2]), np.array([3])], np.array([0, 1]), batch_size=2, shuffle=False)
    >>> {name: array.tolist() for name, array in batches.batch(0).inputs.items()}
    {'ids': [[1, 3], [2, 0]], 'lengths': [2, 1], 'targets': [0, 1]}
    """

    def __init__(
        self,
        sequences: Sequence[Ids],
        targets: Ids | Sequence[Ids],
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        self.lengths = np.array([len(sequence) for sequence in sequences])
        super().__init__(len(sequences), batch_size, seed, shuffle, tokens=int(self.lengths.sum()))
        self._sequences = sequences
        self._targets = targets

    def take(self, chosen: Order) -> dict[str, NDArray[Any]]:
        """These sequences, padded."""
        ids = pad([self._sequences[i] for i in chosen], PADDING)
        if isinstance(self._targets, np.ndarray):
            targets = self._targets[chosen]
        else:
            targets = pad([self._targets[i] for i in chosen], IGNORED)
        return {"ids": ids, "lengths": self.lengths[chosen], "targets": targets}

    def draw(self, rng: np.random.Generator) -> Order:
        """Sequences drawn, sorted by length within every so many batches, and these batches drawn again."""
        drawn, pool = super().draw(rng), BATCHES_SORTED * self.batch_size
        pools = (drawn[start : start + pool] for start in range(0, self.count, pool))
        order = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools])
        whole = self.count - self.count % self.batch_size
        return np.concatenate([rng.permutation(order[:whole].reshape(-1, self.batch_size)).ravel(), order[whole:]])


def pad(sequences: Sequence[Ids], value: int) -> Ids:
    """Sequences side by side (T, B), with `value` past the end of those that are shorter than the longest.

    >>> pad([np.array([1, 2]), np.array([3])], -1).tolist()
    [[1, 3], [2, -1]]
    """
    padded = np.full((max(map(len, sequences)), len(sequences)), value, sequences[0].dtype)
    for b, sequence in enumerate(sequences):
        padded[: len(sequence), b] = sequence
    return padded
