"""ScheduleFree: AdamW without a schedule, which evaluates an average of its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Decay, Hyper, PositiveHyper, current


@dataclass(frozen=True)
class ScheduleFree(Optimizer):
    """AdamW without a schedule: it trains at y, between a fast sequence z and its average x, and evaluates x.

        v = β₂ v + (1 - β₂) g²,   d = g / (√(v / (1 - β₂ᵗ)) + eps) + weight_decay y
        z = z - lr d
        x = (1 - k) x + k z,      k = γ² / Σ γ²        γ: the largest lr so far
        y = β₁ x + (1 - β₁) z                           the weights while training

    betas: β₁ and β₂. eps: keeps the quotient finite. weight_decay: share of every weight lost at each step, times lr.
    lr is a number, or a warmup. A Trainer evaluates, samples and saves x.

    >>> w = np.array([1.0]); ScheduleFree(lr=0.1).update(w, np.array([2.0])); w.round(6)
    array([0.9])

    Defazio et al. 2024, algorithm 1, and its authors' AdamWScheduleFree.
    """

    lr: Hyper = 2.5e-3
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: PositiveHyper = 1e-8
    weight_decay: Hyper = 0.0

    slots = ("v", "z", "x")
    scalars = ("largest", "total", "share")  # γ, Σ γ², k
    evaluated = "x"

    def first(self, name: str, weights: Array) -> Array:
        """Both sequences begin with the weights."""
        return np.zeros_like(weights) if name == "v" else weights.copy()

    def begin(self, t: int, clock: Clock, **scalars: Array) -> None:
        """One term more in the sum of squares."""
        largest, total, share = (scalars[name] for name in self.scalars)
        largest[...] = np.maximum(largest, current(self.lr, clock))
        total += largest**2
        share[...] = largest**2 / total if total[0] else 0.0

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """The equations of the class."""
        v, z, x, lr = kept["v"], kept["z"], kept["x"], current(self.lr, clock)
        beta1, beta2 = (current(beta, clock) for beta in self.betas)
        v += np.multiply(np.subtract(np.multiply(g, g, out=r), v, out=r), 1 - beta2, out=r)
        np.sqrt(v, out=r)
        r /= math.sqrt(1 - beta2**t)
        r += current(self.eps, clock)
        d = np.divide(g, r, out=g)
        if self.weight_decay:
            d += np.multiply(w, current(self.weight_decay, clock), out=r)
        z -= np.multiply(d, lr, out=r)
        x += np.multiply(np.subtract(z, x, out=r), float(kept["share"][0]), out=r)
        np.subtract(z, x, out=r)
        r *= 1 - beta1
        np.add(x, r, out=w)
