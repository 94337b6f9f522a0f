"""Adam and AdamW: adaptive moments, with decoupled weight decay."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from minidl.graph.arrays import Array
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Decay, Hyper, PositiveHyper, current


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moments, with decoupled weight decay.

        m = β₁ m + (1 - β₁) g,   m̂ = m / (1 - β₁ᵗ)
        v = β₂ v + (1 - β₂) g²,  v̂ = v / (1 - β₂ᵗ)
        w = w - lr (m̂ / (√v̂ + eps) + weight_decay w)

    betas: β₁ and β₂. eps: keeps the quotient finite. weight_decay: share of every weight lost at each step, times lr.
    amsgrad: with the largest v so far in the place of v. dialect: "paper" adds eps to √v̂, as PyTorch does; "keras" to
    √v, before the correction of the bias, as Keras does and the end of the paper's section 2.

    >>> w = np.array([1.0]); Adam(lr=0.1).update(w, np.array([2.0])); w.round(6)
    array([0.9])

    Kingma and Ba 2015, algorithm 1. Decoupled decay: Loshchilov and Hutter 2019, algorithm 2. AMSGrad: Reddi, Kale,
    Kumar 2018, algorithm 2.
    """

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: PositiveHyper = 1e-8
    weight_decay: Hyper = 0.0
    amsgrad: bool = field(default=False, kw_only=True)
    dialect: Literal["paper", "keras"] = field(default="paper", kw_only=True)

    slots = ("m", "v")

    @property
    def slot_names(self) -> tuple[str, ...]:
        """amsgrad keeps the largest v."""
        return (*self.slots, "v_max") if self.amsgrad else self.slots

    def compiled_as(self) -> type[Optimizer] | None:
        """AdamW is Adam with another default; the dialects are not compiled."""
        own = type(self) in (Adam, AdamW) and not self.l2 and not self.amsgrad and self.dialect == "paper"
        return Adam if own else None

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """The equations of the class."""
        m, v, lr = kept["m"], kept["v"], current(self.lr, clock)
        beta1, beta2 = (current(beta, clock) for beta in self.betas)
        m += np.multiply(np.subtract(g, m, out=r), 1 - beta1, out=r)
        v += np.multiply(np.subtract(np.multiply(g, g, out=r), v, out=r), 1 - beta2, out=r)
        if self.amsgrad:
            v = np.maximum(kept["v_max"], v, out=kept["v_max"])
        # m̂ / (√v̂ + eps) = (c₂ / c₁) m / (√v + c₂ eps), with c₁ = 1 - β₁ᵗ and c₂ = √(1 - β₂ᵗ): two passes fewer
        c1, c2 = 1 - beta1**t, math.sqrt(1 - beta2**t)
        np.sqrt(v, out=r)
        r += current(self.eps, clock) * (c2 if self.dialect == "paper" else 1.0)
        np.divide(m, r, out=r)
        r *= lr * c2 / c1
        if self.weight_decay:
            w *= 1 - lr * current(self.weight_decay, clock)
        w -= r


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay, which it does by default.

        w = w - lr (m̂ / (√v̂ + eps) + weight_decay w)          m̂ and v̂ as in Adam

    betas, eps, weight_decay, amsgrad, dialect: see Adam.

    >>> w = np.array([1.0]); AdamW(lr=0.1, weight_decay=0.5).update(w, np.array([2.0])); w.round(6)
    array([0.85])

    Loshchilov and Hutter 2019, algorithm 2, with the decay times lr, as PyTorch has it.
    """

    weight_decay: Hyper = 0.01
