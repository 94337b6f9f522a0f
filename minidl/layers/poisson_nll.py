"""PoissonNLL: the loss of predicting counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.layers.loss import ElementLoss


@dataclass(frozen=True)
class PoissonNLL(ElementLoss):
    """Negative log likelihood of counts under a Poisson distribution of the rate eˣ, without log t!.

        l = eˣ - t x,   dl/dx = eˣ - t,   dl/dt = -x        x (..., F), counts t (..., F), y () or (..., F)

    x is the logarithm of the rate, so that any number may be predicted. The part that no prediction changes, log t!,
    is left out.

    >>> from minidl import Model
    >>> float(Model.of(PoissonNLL(), np.zeros((1, 1, 1)), np.full((1, 1, 1), 3.0)).arrays["poisson_nll/y"])
    1.0

    Cameron and Trivedi 1998, section 2.2.
    """

    def losses(self, x: Array, targets: Array, out: Array) -> None:
        """eˣ - t x."""
        np.exp(x, out=out)
        out -= targets * x

    def slopes(self, x: Array, targets: Array, out: Array) -> None:
        """eˣ - t."""
        np.exp(x, out=out)
        out -= targets

    def target_slopes(self, x: Array, targets: Array, out: Array) -> None:
        """-x."""
        np.negative(x, out=out)
