"""MSE: the loss of predicting numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.layers.loss import ElementLoss


@dataclass(frozen=True)
class MSE(ElementLoss):
    """Squared error.

        l = (x - t)²,   dl/dx = 2 (x - t)        x (..., F), targets t (..., F), y () or, not reduced, (..., F)

    The mean of it estimates the mean of what is to be predicted.

    >>> from minidl import Model
    >>> float(Model.of(MSE(), np.zeros((1, 1, 2)), np.ones((1, 1, 2))).arrays["mse/y"])
    1.0
    """

    def losses(self, x: Array, targets: Array, out: Array) -> None:
        """(x - t)²."""
        np.subtract(x, targets, out=out)
        out *= out

    def slopes(self, x: Array, targets: Array, out: Array) -> None:
        """2 (x - t)."""
        np.subtract(x, targets, out=out)
        out *= 2
