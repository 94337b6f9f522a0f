"""What every kind of data hands to the trainer: batches found by step number, and the facts about them.

The position in the data is nothing but the step count. A resumed run asks for the next step and gets the
very batch that the interrupted run would have got; there is no position to save.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from minidl.data.vocabulary import Vocabulary
from minidl.system.errors import DataError, UsageError

Array = NDArray[Any]


@dataclass(frozen=True)
class Batch:
    """The model's inputs for one step, by name; time comes first in every array.

    `reset_state`: the state that layers carry has to be zeroed before this batch, since nothing precedes it.
    """

    inputs: dict[str, Array]
    reset_state: bool


class Batches(abc.ABC):
    """A sequence of batches without an end: steps count on from epoch to epoch.

    `steps_per_epoch` batches visit the data once. `tokens_per_step`: the symbols or steps of sequences in a full batch,
    on average, by which speed is told.
    """

    steps_per_epoch: int
    tokens_per_step: int

    @abc.abstractmethod
    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0 over all epochs; the same step is always the same batch."""

    def longest(self) -> dict[str, Array]:
        """The inputs of the batch that takes the most memory, by which memory is estimated before a run."""
        return self.batch(0).inputs


@dataclass(frozen=True)
class ArraySpec:
    """What one input of the model looks like.

    `depth`: integer ids lie in [0, depth) (None: no bound); floats have that many features in their last axis.
    `shape`: "T" for time, "B" for the batch, numbers for axes of fixed length, e.g. ("T", "B", 3).
    """

    dtype: Literal["int", "float"]
    depth: int | None
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Dataset:
    """Three splits and what a model has to know to fit them.

    `inputs` holds the model's inputs in order, "targets" last. `facts` are the numbers that an experiment
    file may refer to, such as `${data.vocab_size}`. `digest` is a sha256 of the raw data, by which a resumed
    run notices that the data changed. `unit`: what one target is. `baselines`: what guessing without a network achieves
    on the validation part, by "measure/guess", such as "accuracy/majority"; for texts see `baselines()`. `metadata`:
    plain data by which numbers are read, such as the names of classes; it is saved with the model. `reader`: how rows
    of a table are read and answers told, see `minidl.data.tasks.reader`; None for texts and arrays. `places`: the name
    of the table, and the line of each of its rows.
    """

    train: Batches
    validation: Batches | None
    test: Batches | None
    inputs: dict[str, ArraySpec]
    facts: dict[str, int | float]
    vocabulary: Vocabulary | None
    digest: str
    unit: Literal["char", "word", "bpe", "step"]
    baselines: dict[str, float] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    reader: Any = None
    places: tuple[str, Sequence[int]] | None = None


def split_slices(count: int, split: tuple[float, float, float], least: int, what: str) -> tuple[slice, slice, slice]:
    """Contiguous train, validation and test parts of `count` items; a share of 0 makes an empty part.

    `least`: the items that a part needs to be of use; fewer raise DataError, which names them by `what`.

    >>> split_slices(100, (0.9, 0.1, 0.0), least=1, what="sequences")
    (slice(0, 90, None), slice(90, 100, None), slice(100, 100, None))
    """
    check_shares(split)
    first = round(count * split[0] / math.fsum(split))
    second = round(count * math.fsum(split[:2]) / math.fsum(split))
    parts = slice(0, first), slice(first, second), slice(second, count)
    for name, share, part in zip(("training", "validation", "test"), split, parts, strict=True):
        if share > 0 and part.stop - part.start < least:
            raise DataError(
                f"the {name} part, {share:.3g} of {count} {what}, has {part.stop - part.start} and needs "
                f"{least} or more: give it a larger share{'' if name == 'training' else ', or 0'}, or more data"
            )
    return parts


def check_shares(split: tuple[float, float, float]) -> None:
    """Raise UsageError for shares that do not add up to a whole, or leave nothing for training."""
    right = len(split) == 3 and all(0 <= share <= 1 for share in split) and split[0] > 0
    if not right or abs(math.fsum(split) - 1) > 1e-6:
        raise UsageError(
            f"split {tuple(split)} should be three shares (train, validation, test) that add up to 1, "
            f"the first above 0, such as (0.9, 0.05, 0.05)"
        )


def check_positive(**sizes: int) -> None:
    """Raise UsageError for a size below 1, by its name."""
    for name, size in sizes.items():
        if size < 1:
            raise UsageError(f"{name} should be 1 or more, got {size}")
