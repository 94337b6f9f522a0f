"""A trained model on many independent sequences: batches of about one length, and what it computes for each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidl.data.independent import Independent, Order
from minidl.generate.answers import answer
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.system.errors import NumericsError

STEPS, SEQUENCES = 8192, 256  # of a batch at most, all sequences together; one that is longer is a batch of its own


def apply(model: Model, examples: Independent) -> Iterator[tuple[Order, Array]]:
    """The numbers of some examples, and what the model computes for them: (T, B, K) or (B, K), until the next batch.

    model: a replica. Every example with a step comes once, but for those with NaN, as a window of rows to come has.
    """
    for chosen in batches(examples.lengths):
        inputs = examples.take(chosen)
        there = np.all([np.isfinite(array).all(axis=(0, 2)) for array in inputs.values() if array.ndim == 3], axis=0)
        if not np.all(there):
            chosen = chosen[there]
            if not len(chosen):
                continue
            inputs = examples.take(chosen)
        outputs = answer(model, **inputs)
        if not np.isfinite(outputs).all():
            raise NumericsError("the model answers with NaN or infinity: it has diverged; take an older checkpoint")
        yield chosen, outputs


def batches(lengths: Array) -> Iterator[Order]:
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
