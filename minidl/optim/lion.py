"""Lion: steps of one size, by the sign of a momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Decay, Hyper, current


@dataclass(frozen=True)
class Lion(Optimizer):
    """Steps of one size, by the sign of a momentum.

        w = w - lr (sign(β₁ m + (1 - β₁) g) + weight_decay w)
        m = β₂ m + (1 - β₂) g

    betas: β₁ and β₂. weight_decay: share of every weight lost at each step, times lr. Its lr is three to ten times
    smaller than Adam's, its weight_decay as many times larger.

    >>> w = np.array([1.0]); Lion(lr=0.1).update(w, np.array([2.0])); w
    array([0.9])

    Chen et al. 2023, algorithm 2.
    """

    lr: Hyper = 1e-4
    betas: tuple[Decay, Decay] = (0.9, 0.99)
    weight_decay: Hyper = 0.0

    slots = ("m",)

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """The equations of the class."""
        m, lr = kept["m"], current(self.lr, clock)
        beta1, beta2 = (current(beta, clock) for beta in self.betas)
        g -= m  # from here on the way from m to the gradient
        np.multiply(g, 1 - beta1, out=r)
        r += m
        np.sign(r, out=r)
        r *= lr
        if self.weight_decay:
            w *= 1 - lr * current(self.weight_decay, clock)
        w -= r
        m += np.multiply(g, 1 - beta2, out=g)
