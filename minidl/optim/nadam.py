"""NAdam: Adam with Nesterov's look ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Decay, Hyper, NonNegative, PositiveHyper, current


@dataclass(frozen=True)
class NAdam(Optimizer):
    """Adam with Nesterov's look ahead.

        μₜ = β₁ (1 - ½ · 0.96^(t · momentum_decay)),   P = μ₁ μ₂ … μₜ
        m = β₁ m + (1 - β₁) g,   v = β₂ v + (1 - β₂) g²,   v̂ = v / (1 - β₂ᵗ)
        m̂ = μₜ₊₁ m / (1 - P μₜ₊₁) + (1 - μₜ) g / (1 - P)
        w = w - lr (m̂ / (√v̂ + eps) + weight_decay w)

    betas: β₁ and β₂. eps: keeps the quotient finite. weight_decay: share of every weight lost at each step, times lr.
    momentum_decay: how fast the momentum grows to β₁; 0 leaves it at ½ β₁.

    >>> w = np.array([1.0]); NAdam(lr=0.1).update(w, np.array([2.0])); w.round(4)
    array([0.8944])

    Dozat 2016, algorithm 2, with the schedule of its section 2.2, as PyTorch has it.
    """

    lr: Hyper = 2e-3
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: PositiveHyper = 1e-8
    weight_decay: Hyper = 0.0
    momentum_decay: NonNegative = 4e-3

    slots = ("m", "v")
    scalars = ("product",)  # P, less 1: it begins with zero

    def momentum(self, t: int, clock: Clock) -> float:
        """μ at update t."""
        return current(self.betas[0], clock) * (1 - 0.5 * math.pow(0.96, t * self.momentum_decay))

    def begin(self, t: int, clock: Clock, **scalars: Array) -> None:
        """One factor more."""
        scalars["product"][...] = (1 + scalars["product"]) * self.momentum(t, clock) - 1

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """The equations of the class."""
        m, v, lr = kept["m"], kept["v"], current(self.lr, clock)
        beta1, beta2 = (current(beta, clock) for beta in self.betas)
        now, following, product = self.momentum(t, clock), self.momentum(t + 1, clock), 1 + float(kept["product"][0])
        m += np.multiply(np.subtract(g, m, out=r), 1 - beta1, out=r)
        v += np.multiply(np.subtract(np.multiply(g, g, out=r), v, out=r), 1 - beta2, out=r)
        if self.weight_decay:
            w *= 1 - lr * current(self.weight_decay, clock)
        root = np.sqrt(v, out=r)
        root /= math.sqrt(1 - beta2**t)
        root += current(self.eps, clock)
        g *= lr * (1 - now) / (1 - product)
        w -= np.divide(g, root, out=g)
        np.divide(m, root, out=r)
        r *= lr * following / (1 - product * following)
        w -= r
