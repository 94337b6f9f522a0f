"""Batches of independent examples: each one once an epoch, in an order that seed and epoch alone decide."""

from __future__ import annotations

import abc

import numpy as np
from numpy.typing import NDArray

from minidl.data.batches import Array, Batch, Batches, check_positive

Order = NDArray[np.intp]
BATCHES_SORTED = 16  # together by length, so that a batch has sequences of about one length


class Independent(Batches):
    """Base of batches of `batch_size` out of `count` examples, the last batch as small as it comes out.

    With `shuffle` each epoch has an order of its own, drawn from `seed` and the number of the epoch. `tokens`: symbols
    or steps of all examples together. `lengths` (N,): the steps of each. `rows` (N,): the row of its table that each
    speaks of.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int,
        shuffle: bool,
        tokens: int,
        *,
        lengths: Array | None = None,
        rows: Array | None = None,
    ) -> None:
        check_positive(batch_size=batch_size)
        self.count = count
        self.batch_size = max(1, min(batch_size, count))
        self.seed = seed
        self.shuffle = shuffle
        self.steps_per_epoch = -(-count // self.batch_size)
        self.tokens_per_step = round(tokens / max(1, count) * self.batch_size)
        self.lengths = np.full(count, tokens // max(1, count)) if lengths is None else lengths
        self.rows = np.arange(count) if rows is None else rows
        self._order: tuple[int, Order] | None = None

    def __len__(self) -> int:
        return self.count

    def batch(self, step: int) -> Batch:
        """The examples of a step; nothing precedes them, so every batch is fresh."""
        epoch, index = divmod(step, self.steps_per_epoch)
        chosen = self._order_of(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        return Batch(self.take(chosen), reset_state=True)

    @abc.abstractmethod
    def take(self, chosen: Order) -> dict[str, Array]:
        """The model's inputs for these examples, by name."""

    def longest(self) -> dict[str, Array]:
        """The inputs of the batch that takes the most memory: the longest examples together."""
        return self.take(np.argsort(self.lengths, kind="stable")[-self.batch_size :])

    def draw(self, rng: np.random.Generator) -> Order:
        """An order of the examples for one epoch.

        Those of different lengths are sorted by length within every so many batches, and these batches drawn again.
        """
        drawn, pool = rng.permutation(self.count), BATCHES_SORTED * self.batch_size
        if not self.count or self.lengths.min() == self.lengths.max():
            return drawn
        pools = (drawn[start : start + pool] for start in range(0, self.count, pool))
        order = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in pools])
        whole = self.count - self.count % self.batch_size
        return np.concatenate([rng.permutation(order[:whole].reshape(-1, self.batch_size)).ravel(), order[whole:]])

    def _order_of(self, epoch: int) -> Order:
        if self._order is None or (self.shuffle and self._order[0] != epoch):
            drawn = self.draw(np.random.default_rng([self.seed, epoch])) if self.shuffle else np.arange(self.count)
            self._order = (epoch, drawn)
        return self._order[1]


class Part(Independent):
    """Some of the examples of a table: those for training, validation or test.

    chosen: their numbers. by_length: in the order of length, which leaves the least to pad; otherwise as given.
    """

    def __init__(
        self,
        examples: Independent,
        chosen: Order,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        by_length: bool = False,
    ) -> None:
        if by_length:
            chosen = chosen[np.argsort(examples.lengths[chosen], kind="stable")]
        self.examples, self.chosen = examples, chosen
        lengths = examples.lengths[chosen]
        super().__init__(
            len(chosen), batch_size, seed, shuffle, int(lengths.sum()), lengths=lengths, rows=examples.rows[chosen]
        )

    def take(self, chosen: Order) -> dict[str, Array]:
        """The model's inputs for these examples of the part."""
        return self.examples.take(self.chosen[chosen])
