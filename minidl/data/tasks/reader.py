"""The one way from rows to what a model reads, and from what it computes to what a person reads.

    dataset = Table(...).load(folder)               training: the task makes a reader and reads the three parts by it
    reader  = dataset.reader

    plain   = dataset.metadata                      plain data, saved with the model: "reader", "class_names", ...
    reader  = Reader.load(plain, vocabulary)        the same reader, without the data and without the experiment's file

    rows     = read_rows(...)                       new rows; only the columns `reader.columns` are needed
    examples = reader.read(rows)                    what the model reads; reader.unseen counts symbols never seen before
    inputs   = examples.take(chosen)                arrays by input name for these examples, padded to the longest
    outputs  = ...                                  what the loss compares with the targets: (B, K), or (T, B, K)
    answers  = reader.decode(outputs, examples, chosen)   {"prediction": [...], "probability": [...]}, one an example

Example i speaks of row `examples.rows[i]` of the table, and its answer stands beside it; `examples.lengths[i]` are its
steps, 0 where nothing of it can be read. Rows without an example, as the first ones of a series, have no answer.
With `targets=True` the columns `reader.targets` are read as well, and the examples are batches to measure a model on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from minidl.config.declared import SnakeCased
from minidl.data.batches import Array
from minidl.data.independent import Independent, Order
from minidl.data.sources.rows import Rows
from minidl.data.vocabulary import Vocabulary
from minidl.system.errors import CheckpointError, ConfigError

Answers = dict[str, list[Any]]
Unseen = Counter[str]
Self = TypeVar("Self", bound="Reader")


@dataclass(frozen=True)
class Reader(SnakeCased, family="reader"):
    """Base of what a task has fixed in training: fields of plain data, and the vocabulary beside them.

    vocabulary: of the texts; None where numbers are read. unseen: symbols that were met and that it does not have.
    """

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The symbols of the texts that are read; None where numbers are."""
        found: Vocabulary | None = self.__dict__.get("_vocabulary")
        return found

    @property
    def unseen(self) -> Unseen:
        """How often each symbol was met that the vocabulary does not have."""
        found: Unseen = self.__dict__.setdefault("_unseen", Counter())
        return found

    def with_vocabulary(self: Self, vocabulary: Vocabulary | None) -> Self:
        """This reader, which reads texts by a vocabulary from now on."""
        self.__dict__["_vocabulary"] = vocabulary
        return self

    @staticmethod
    def load(metadata: Mapping[str, Any], vocabulary: Vocabulary | None) -> Reader:
        """The reader that a model was saved with; CheckpointError where there is none, or not as we write it."""
        if not isinstance(metadata.get("reader"), Mapping):
            raise CheckpointError("the model does not say how rows are read: it was not trained on a table")
        try:
            reader: Reader = Reader.from_config(dict(metadata["reader"]))
        except ConfigError as error:
            raise CheckpointError(f"the model does not say how rows are read: {error}") from None
        return reader.with_vocabulary(vocabulary)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table has to have for a prediction."""
        raise NotImplementedError

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that hold what is to be predicted, which training and evaluation need."""
        raise NotImplementedError

    def headings(self) -> list[str]:
        """The columns that every answer has, whether or not there is anything to read."""
        return ["prediction"]

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Independent:
        """What the model reads of these rows, in their order; DataError with the place of what it cannot read."""
        raise NotImplementedError

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """The answers of a batch by column: "prediction" first; "probability", "probability:CLASS" and so on.

        outputs: what the model computed for the examples `chosen`: logits (B, K) or (T, B, K), ids of tags (T, B), or
        scaled numbers (B, K).
        """
        raise NotImplementedError


def headings_of(classes: Sequence[str]) -> list[str]:
    """The columns of an answer that names classes: which, how surely, and how probable each is."""
    return ["prediction", "probability", *(f"probability:{name}" for name in classes)]


def softmax(logits: Array) -> Array:
    """Probabilities along the last axis.

    >>> softmax(np.array([0.0, np.log(3.0)])).round(2).tolist()
    [0.25, 0.75]
    """
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    found: Array = powers / powers.sum(axis=-1, keepdims=True)
    return found
