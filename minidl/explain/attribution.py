"""Integrated gradients: what each step adds to an answer, so that the parts sum to the whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.explain.answer import Answer, asked
from minidl.explain.embedded import Embedded
from minidl.graph.arrays import Array

FEWEST, MOST = 32, 1024  # points of the integral
CLOSE = 1e-4  # how far the parts may be from the whole, in nats or standard deviations
AT_ONCE = 1 << 22  # numbers read in one pass


@dataclass(frozen=True)
class Attribution:
    """What each step adds.

    parts (T,): of each step. answer: what was asked. value: of the answer to the sequence; empty: of the answer where
    nothing is read. points: of the integral.
    """

    parts: Array
    answer: Answer
    value: float
    empty: float
    points: int

    @property
    def error(self) -> float:
        """The difference between the sum of the parts and what they should sum to."""
        return float(abs(self.parts.sum() - (self.value - self.empty)))


def integrated_gradients(embedded: Embedded, sequence: Array, step: int = -1, entry: int | None = None) -> Attribution:
    """What each step of a sequence adds to an answer, against a sequence of which nothing is read.

        part[t] = Σ_k x[t, k] ∫₀¹ ∂ value(α x) / ∂ x[t, k] dα,      Σ_t part[t] = value(x) - value(0)

    The integral is Gauss and Legendre's sum, with more points until the parts sum to the whole within 1e-4.

    step, entry: which answer, see `asked`.

    Sundararajan, Taly, Yan 2017, equation 1 and proposition 1.
    """
    rows = embedded.rows(sequence)
    output = embedded.forward({name: x[:, None] for name, x in rows.items()}).copy()
    answer = asked(embedded.subject, sequence, output, step, entry)
    kind = embedded.subject.kind
    value = float(answer.value(output, kind)[0])
    empty = float(answer.value(embedded.forward({name: 0 * x[:, None] for name, x in rows.items()}), kind)[0])
    points = FEWEST
    while True:
        found = Attribution(_parts(embedded, rows, answer, points), answer, value, empty, points)
        if found.error <= CLOSE or points >= MOST:
            return found
        points *= 2


def _parts(embedded: Embedded, rows: dict[str, Array], answer: Answer, points: int) -> Array:
    places, weights = np.polynomial.legendre.leggauss(points)
    alphas, weights = (places + 1) / 2, weights / 2
    at_once = max(1, AT_ONCE // sum(x.size for x in rows.values()))
    parts = np.zeros(len(next(iter(rows.values()))))
    for start in range(0, points, at_once):
        some = slice(start, start + at_once)
        scaled = {name: x[:, None] * alphas[some, None] for name, x in rows.items()}
        seed = answer.seed(embedded.forward(scaled), embedded.subject.kind)
        gradients = embedded.backward(seed)
        for name, x in rows.items():
            parts += np.einsum("tbf,tf,b->t", gradients[name], x, weights[some])
    return parts
