"""SGD: stochastic gradient descent, with momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Decay, current


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent.

        u = μ u + g
        w = w - lr u                with Nesterov's look ahead: w - lr (g + μ u)

    momentum: μ. nesterov: look ahead.

    >>> w = np.array([1.0]); SGD(lr=0.1).update(w, np.array([2.0])); w
    array([0.8])

    Sutskever et al. 2013, equations 1 to 4, in the form that PyTorch uses (lr outside of u).
    """

    momentum: Decay = 0.0
    nesterov: bool = False

    slots = ("u",)

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """The equations of the class."""
        u, lr, momentum = kept["u"], current(self.lr, clock), current(self.momentum, clock)
        u *= momentum
        u += g
        if self.nesterov:
            np.multiply(u, momentum, out=r)
            r += g
            r *= lr
        else:
            np.multiply(u, lr, out=r)
        w -= r
