"""RMSprop: steps scaled by a running root mean square of the gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Decay, PositiveHyper, current


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Steps scaled by a running root mean square of the gradient.

        v = ρ v + (1 - ρ) g²
        w = w - lr g / (√v + eps)

    rho: ρ. eps: keeps the quotient finite.

    >>> w = np.array([1.0]); RMSprop(lr=0.1, rho=0.75).update(w, np.array([2.0])); w.round(6)
    array([0.8])

    Tieleman and Hinton 2012, lecture 6.5; eps outside the root as in PyTorch.
    """

    rho: Decay = 0.9
    eps: PositiveHyper = 1e-8

    slots = ("v",)

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """The equations of the class."""
        v = kept["v"]
        v += np.multiply(np.subtract(np.multiply(g, g, out=r), v, out=r), 1 - current(self.rho, clock), out=r)
        np.sqrt(v, out=r)
        r += current(self.eps, clock)
        np.divide(g, r, out=r)
        r *= current(self.lr, clock)
        w -= r
