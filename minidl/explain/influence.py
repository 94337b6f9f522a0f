"""Influence: how much each step matters for an answer, by the gradient; and how far back it reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidl.explain.answer import Answer, asked
from minidl.explain.embedded import Embedded
from minidl.graph.arrays import Array

PREDICTIONS = 16  # over which the influence by lag is a mean


def influence(embedded: Embedded, sequence: Array, answers: Sequence[Answer]) -> Array:
    """Gradient times input of each step for each answer: (T, N).

        a[t] = Σ_k x[t, k] ∂ value / ∂ x[t, k]

    x: the rows that the network reads; value: log p of the answer, or the number that is answered.
    """
    rows = {name: np.repeat(x[:, None], len(answers), axis=1) for name, x in embedded.rows(sequence).items()}
    output = embedded.forward(rows)
    seed = np.zeros_like(output)
    kind = embedded.subject.kind
    for copy, answer in enumerate(answers):
        one = answer.seed(output[..., copy : copy + 1, :], kind)
        seed[..., copy : copy + 1, :] = one
    gradients = embedded.backward(seed)
    parts = [(rows[name] * gradients[name]).sum(axis=-1) for name in rows]
    total: Array = np.sum(parts, axis=0)
    return total


def by_lag(embedded: Embedded, sequence: Array) -> Array:
    """Mean |influence| by how many steps lie between, over up to 16 answers of the later half of the sequence.

    Of a model that answers once it is that answer's. The first entry is the influence of the step itself.
    """
    last, first = len(sequence) - 1, len(sequence) // 2
    count = min(PREDICTIONS, last - first + 1) if embedded.subject.answers_each_step else 1
    spread = [first + int(j * (last - first) / (count - 1) + 0.5) for j in range(count)] if count > 1 else [last]
    output = embedded.forward({name: x[:, None] for name, x in embedded.rows(sequence).items()}).copy()
    answers = [asked(embedded.subject, sequence, output, step) for step in spread]
    found = np.abs(influence(embedded, sequence, answers))
    sums = np.zeros(first + 1)
    for answer, column in zip(answers, found.T, strict=True):
        reached = min(first, answer.step) + 1
        sums[:reached] += column[answer.step :: -1][:reached]
    means: Array = sums / count
    return means
