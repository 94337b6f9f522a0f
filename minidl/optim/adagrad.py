"""Adagrad: steps scaled by the root of the sum of all squared gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Hyper, NonNegative, PositiveHyper, current


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Steps scaled by the root of the sum of all squared gradients, for features that are seldom seen.

        s = s + g²
        w = w - lr g / (√s + eps)

    initial: what s begins with. eps: keeps the quotient finite.

    >>> w = np.array([1.0]); Adagrad(lr=0.1).update(w, np.array([2.0])); w.round(6)
    array([0.9])

    Duchi, Hazan, Singer 2011, figure 1, for diagonal matrices; eps as in PyTorch.
    """

    lr: Hyper = 1e-2
    initial: NonNegative = 0.0
    eps: PositiveHyper = 1e-10

    slots = ("s",)

    def first(self, name: str, weights: Array) -> Array:
        """The sum begins with `initial`."""
        return np.full_like(weights, self.initial)

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """The equations of the class."""
        s = kept["s"]
        s += np.multiply(g, g, out=r)
        np.sqrt(s, out=r)
        r += current(self.eps, clock)
        np.divide(g, r, out=r)
        r *= current(self.lr, clock)
        w -= r
