"""MAE: the loss of predicting numbers among which some are far off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.layers.loss import ElementLoss


@dataclass(frozen=True)
class MAE(ElementLoss):
    """Absolute error.

        l = |x - t|,   dl/dx = sign(x - t)        x (..., F), targets t (..., F), y () or, not reduced, (..., F)

    The mean of it estimates the median of what is to be predicted.

    >>> from minidl import Model
    >>> float(Model.of(MAE(), np.zeros((1, 1, 2)), np.array([[[3.0, -1.0]]])).arrays["mae/y"])
    2.0
    """

    def losses(self, x: Array, targets: Array, out: Array) -> None:
        """max(e, -e) with e = x - t, in a form that complex numbers have too."""
        np.subtract(x, targets, out=out)
        np.multiply(out, np.sign(out.real), out=out)

    def slopes(self, x: Array, targets: Array, out: Array) -> None:
        """The sign of x - t."""
        np.subtract(x, targets, out=out)
        np.sign(out, out=out)
