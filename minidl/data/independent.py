"""Batches of independent examples: each one once an epoch, in an order that seed and epoch alone decide."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.batches import Batch, Batches, check_positive

Order = NDArray[np.intp]


class Independent(Batches):
    """Base of batches of `batch_size` out of `count` examples, the last batch as small as it comes out.

    With `shuffle` each epoch has an order of its own, drawn from `seed` and the number of the epoch. `tokens`: symbols
    or steps of all examples together.
    """

    def __init__(self, count: int, batch_size: int, seed: int, shuffle: bool, tokens: int) -> None:
        check_positive(batch_size=batch_size)
        self.count = count
        self.batch_size = min(batch_size, count)
        self.seed = seed
        self.shuffle = shuffle
        self.steps_per_epoch = -(-count // self.batch_size)
        self.tokens_per_step = round(tokens / count * self.batch_size)
        self._order = (-1, np.arange(count))

    def batch(self, step: int) -> Batch:
        """The examples of a step; nothing precedes them, so every batch is fresh."""
        epoch, index = divmod(step, self.steps_per_epoch)
        chosen = self._order_of(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        return Batch(self.take(chosen), reset_state=True)

    @abc.abstractmethod
    def take(self, chosen: Order) -> dict[str, NDArray[Any]]:
        """The model's inputs for these examples, by name."""

    def draw(self, rng: np.random.Generator) -> Order:
        """An order of the examples for one epoch."""
        return rng.permutation(self.count)

    def _order_of(self, epoch: int) -> Order:
        if self.shuffle and self._order[0] != epoch:
            self._order = (epoch, self.draw(np.random.default_rng([self.seed, epoch])))
        return self._order[1]
