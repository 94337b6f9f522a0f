"""A trained model on many sequences: batches of about one length, answers in the order of the sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.new_rows import Examples
from minidl.generate.answers import answer
from minidl.model import Model
from minidl.system.errors import NumericsError

Array = NDArray[Any]
STEPS, SEQUENCES = 8192, 256  # of a batch at most, all sequences together; one that is longer is a batch of its own

Read = Callable[[Array, dict[str, Array]], Sequence[Any]]  # outputs and inputs of a batch -> an answer for each


def apply(model: Model, examples: Examples, read: Read) -> list[Any]:
    """An answer for each example; None for one that has no step.

    model: a replica. read: makes the answers of a batch out of what the model computed, (T, B, D) or (B, D), which is
    valid until the next batch.
    """
    answers: list[Any] = [None] * len(examples)
    for chosen in batches(examples.lengths):
        inputs = examples.take(chosen)
        outputs = answer(model, **inputs)
        if not np.isfinite(outputs).all():
            raise NumericsError("the model answers with NaN or infinity: it has diverged; take an older checkpoint")
        for i, found in zip(chosen, read(outputs, inputs), strict=True):
            answers[i] = found
    return answers


def batches(lengths: Array) -> Iterator[Array]:
    """The numbers of sequences in batches, the longest first, so that few are padded and buffers never grow.

    >>> [batch.tolist() for batch in batches(np.array([2, 5000, 0, 4000, 3]))]
    [[1], [3, 4], [0]]
    """
    order = np.argsort(-lengths, kind="stable")
    order = order[: np.count_nonzero(lengths)]
    while len(order):
        size = min(SEQUENCES, max(1, STEPS // int(lengths[order[0]])))
        yield order[:size]
        order = order[size:]
