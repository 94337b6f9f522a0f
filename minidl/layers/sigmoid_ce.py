"""SigmoidCE: the loss of yes-or-no questions, any number of them at each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.graph.operations import sigmoid
from minidl.layers.loss import ClassWeights, ElementLoss


@dataclass(frozen=True)
class SigmoidCE(ElementLoss):
    """Sigmoid and binary cross-entropy in one, in nats.

        l = -t log σ(v) - (1 - t) log(1 - σ(v)) = max(v, 0) - v t + log(1 + e^-|v|)

        dl/dv = σ(v) - t,   dl/dt = -v        v (..., F), t (..., F) in [0, 1], y () or, not reduced, (..., F)

    class_weights: what the answers to each of the F questions count.

    >>> from minidl import Model
    >>> float(Model.of(SigmoidCE(), np.zeros((1, 1, 2)), np.ones((1, 1, 2))).arrays["sigmoid_ce/y"].round(4))
    0.6931
    """

    class_weights: ClassWeights = None

    def losses(self, x: Array, targets: Array, out: Array) -> None:
        """max(v, 0) - v t + log(1 + e^-|v|), with |v| in a form that complex numbers have too."""
        np.negative(x, out=out)
        np.minimum(x, out, out=out)  # -|v|
        np.exp(out, out=out)
        np.log1p(out, out=out)
        for loss, v, t in zip(out, x, targets, strict=True):  # step by step, without a copy of all steps
            loss += np.maximum(v, 0) - v * t

    def slopes(self, x: Array, targets: Array, out: Array) -> None:
        """σ(v) - t."""
        sigmoid(x, out=out)
        out -= targets

    def target_slopes(self, x: Array, targets: Array, out: Array) -> None:
        """-v."""
        np.negative(x, out=out)
