"""RAdam: Adam that waits with its adaptive steps until their variance is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Decay, Hyper, PositiveHyper, current

TRACTABLE = 5.0  # degrees of freedom from which on the variance of the adaptive step is known well enough


@dataclass(frozen=True)
class RAdam(Optimizer):
    """Adam that begins without adaptive steps: a warm-up that follows from β₂.

        ρ∞ = 2 / (1 - β₂) - 1,   ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
        ρ > 5:  w = w - lr s m̂ / (√v̂ + eps),   s² = (ρ - 4) (ρ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ)
        else:   w = w - lr m̂                    m̂, v̂ as in Adam; w first loses lr weight_decay w

    betas: β₁ and β₂. eps: keeps the quotient finite. weight_decay: share of every weight lost at each step, times lr.

    >>> w = np.array([1.0]); RAdam(lr=0.1).update(w, np.array([2.0])); w.round(6)
    array([0.8])

    Liu et al. 2020, algorithm 2.
    """

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: PositiveHyper = 1e-8
    weight_decay: Hyper = 0.0

    slots = ("m", "v")

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """The equations of the class."""
        m, v, lr = kept["m"], kept["v"], current(self.lr, clock)
        beta1, beta2 = (current(beta, clock) for beta in self.betas)
        m += np.multiply(np.subtract(g, m, out=r), 1 - beta1, out=r)
        v += np.multiply(np.subtract(np.multiply(g, g, out=r), v, out=r), 1 - beta2, out=r)
        if self.weight_decay:
            w *= 1 - lr * current(self.weight_decay, clock)
        c1, c2 = 1 - beta1**t, math.sqrt(1 - beta2**t)
        scale = rectification(beta2, t)
        if scale is None:
            np.multiply(m, lr / c1, out=r)
        else:
            np.sqrt(v, out=r)
            r += current(self.eps, clock)
            np.divide(m, r, out=r)
            r *= lr * scale * c2 / c1
        w -= r


def rectification(beta2: float, t: int) -> float | None:
    """s at update t; None while the variance is not known.

    >>> rectification(0.999, 5), round(rectification(0.999, 6), 4)
    (None, 0.0258)
    """
    most = 2 / (1 - beta2) - 1
    degrees = most - 2 * t * beta2**t / (1 - beta2**t)
    if degrees <= TRACTABLE:
        return None
    return math.sqrt((degrees - 4) * (degrees - 2) * most / ((most - 4) * (most - 2) * degrees))
