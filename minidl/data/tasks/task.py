"""What may be learnt from a table: a kind of task says which columns it reads, and makes a data set of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.config.declared import Declared, snake_case
from minidl.data.batches import Dataset, split_slices
from minidl.data.independent import Order
from minidl.data.sources.rows import Rows


@dataclass(frozen=True)
class SplitAndBatch:
    """How examples come into parts and batches; the fields are those of `Table`."""

    split: tuple[float, float, float]
    batch_size: int
    shuffle: bool
    seed: int

    def parts(self, count: int) -> list[Order]:
        """Which of `count` rows are for training, validation and test: drawn, or in their order without `shuffle`.

        >>> [part.tolist() for part in SplitAndBatch((0.5, 0.25, 0.25), 8, shuffle=False, seed=0).parts(4)]
        [[0, 1], [2], [3]]
        """
        order = np.random.default_rng(self.seed).permutation(count) if self.shuffle else np.arange(count)
        return [order[part] for part in split_slices(count, self.split, least=1, what="rows")]


@dataclass(frozen=True)
class Task(Declared, family="task"):
    """Base of the kinds of tasks.

    A task learns from the training part what has to be the same for all rows to come (vocabulary, classes, scales) and
    puts it into a `Reader`, which stands in `Dataset.reader`; see `minidl.data.tasks.reader`.
    """

    @classmethod
    def type_name(cls) -> str:
        """The name in files: the class in small letters."""
        return snake_case(cls.__name__)

    def dataset(self, rows: Rows, deal: SplitAndBatch) -> Dataset:
        """The rows as batches; DataError with the line of what cannot be used."""
        raise NotImplementedError
