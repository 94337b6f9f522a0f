"""Optimizers: rules that turn a gradient into a change of the weights, in place and over flat vectors.

An optimizer is its hyperparameters and a `rule` of a few lines. The vectors that a rule needs from step to step (its
`slots`) and the number of steps are kept in `memory`, which checkpoints save.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from minidl.config.declared import Declared
from minidl.engine.dispatch import implementation
from minidl.graph.operations import norm
from minidl.optim.schedules import Clock, Decay, Hyper, PositiveHyper, at, current, scheduled
from minidl.system.errors import NumericsError, UsageError

if TYPE_CHECKING:
    from minidl.model import Model

Array = NDArray[Any]
BLOCK = 1 << 16  # numbers updated at a time, more or less: fewer lose time in calls, more do not stay in the cache


@dataclass
class Memory:
    """What an optimizer remembers: updates done, a vector for each slot, the last gradient's length before clipping.

    clipped_by: how many times longer that was than after clipping by norm.
    """

    steps: int = 0
    slots: dict[str, Array] = field(default_factory=dict)
    grad_norm: float = 0.0
    clipped_by: float = 1.0


@dataclass(frozen=True)
class Optimizer(Declared, family="optimizer"):
    """Base of the optimizers.

    Every hyperparameter may be a number or a schedule. lr: learning rate. clip_value: bound of each entry of the
    gradient. clip_norm: bound of its length over all parameters together.

    Clipping by norm: Pascanu, Mikolov, Bengio 2013, algorithm 1.
    """

    lr: Hyper = 1e-3
    clip_value: PositiveHyper | None = field(default=None, kw_only=True)
    clip_norm: PositiveHyper | None = field(default=None, kw_only=True)

    slots: ClassVar[tuple[str, ...]] = ()

    @cached_property
    def memory(self) -> Memory:
        """What is kept from step to step."""
        return Memory()

    def step(self, model: Model, clock: Clock | None = None) -> None:
        """One update of a model's weights from the gradients of its last backward pass.

        clock: for schedules; counts the updates of this optimizer where it is not given. Raises NumericsError, and
        leaves the weights alone, where the gradient is not finite.
        """
        self.update(model.weights.flat, model.executor.gradient, clock)
        model.weights.version += 1

    def update(self, weights: Array, gradient: Array, clock: Clock | None = None) -> None:
        """One update of a vector of weights; the gradient is clipped in place."""
        memory = self._memory_for(weights)
        length, change = self._functions_for(weights)
        clock = clock or Clock(memory.steps)
        now = at(self, clock) if self._is_scheduled else self
        memory.grad_norm = length(self, gradient)
        if not math.isfinite(memory.grad_norm):
            raise NumericsError("the gradient holds NaN or infinity; the weights have not been changed")
        memory.clipped_by = max(1.0, memory.grad_norm / current(now.clip_norm or math.inf, clock))
        memory.steps += 1
        change(now, weights, gradient, memory.grad_norm, memory.steps, clock, **memory.slots)

    def length(self, gradient: Array) -> float:
        """The Euclidean length of a gradient, as it is measured for clipping."""
        return norm(gradient)

    def change(self, w: Array, g: Array, length: float, t: int, clock: Clock, **slots: Array) -> None:
        """Clip the gradient g, whose length is known, and follow the rule, block by block."""
        self._clip(g, length, clock)
        size = -(-w.size // max(1, round(w.size / BLOCK))) or 1
        scratch = np.empty(size, w.dtype)
        for start in range(0, w.size, size):
            part = slice(start, start + size)
            of_block = {name: slot[part] for name, slot in slots.items()}
            self.rule(w[part], g[part], t, clock, scratch[: w[part].size], **of_block)

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **slots: Array) -> None:
        """Change w, a block of weights, by its gradient g at update t = 1, 2, …; r is room of the same size."""
        raise NotImplementedError

    @cached_property
    def _is_scheduled(self) -> bool:
        return bool(scheduled(self))

    @cached_property
    def _functions(self) -> dict[np.dtype[Any], tuple[Callable[..., float], Callable[..., None]]]:
        """`length` and `change`, or their compiled twins, by the type of the weights."""
        return {}

    def _functions_for(self, weights: Array) -> tuple[Callable[..., float], Callable[..., None]]:
        if (functions := self._functions.get(weights.dtype)) is None:
            length, change = (implementation(type(self), name, weights.dtype) for name in ("length", "change"))
            functions = self._functions[weights.dtype] = length, change
        return functions

    def _memory_for(self, weights: Array) -> Memory:
        memory = self.memory
        for name in self.slots:
            slot = memory.slots.get(name)
            if slot is None:
                slot = memory.slots[name] = np.zeros_like(weights)
            if slot.shape != weights.shape:
                raise UsageError(
                    f"this {type(self).__name__} has been used on {slot.size:,} weights, the model has "
                    f"{weights.size:,}: make one optimizer for each model"
                )
        return memory

    def _clip(self, gradient: Array, length: float, clock: Clock) -> None:
        bound, longest = (
            math.inf if limit is None else current(limit, clock) for limit in (self.clip_value, self.clip_norm)
        )
        if length > bound and max(gradient.max(), -gradient.min()) > bound:  # looking is quicker than clipping
            np.clip(gradient, -bound, bound, out=gradient)
        if length > longest:
            gradient *= longest / length

    def restore(self, steps: int, slots: Mapping[str, Array]) -> None:
        """Go on from what `memory` held."""
        self.memory.steps = steps
        self.memory.slots = {name: np.array(slot) for name, slot in slots.items()}


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

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **slots: Array) -> None:
        """The equations of the class."""
        u, lr, momentum = slots["u"], current(self.lr, clock), current(self.momentum, clock)
        u *= momentum
        u += g
        if self.nesterov:
            np.multiply(u, momentum, out=r)
            r += g
            r *= lr
        else:
            np.multiply(u, lr, out=r)
        w -= r


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

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **slots: Array) -> None:
        """The equations of the class."""
        v = slots["v"]
        v += np.multiply(np.subtract(np.multiply(g, g, out=r), v, out=r), 1 - current(self.rho, clock), out=r)
        np.sqrt(v, out=r)
        r += current(self.eps, clock)
        np.divide(g, r, out=r)
        r *= current(self.lr, clock)
        w -= r


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moments, with decoupled weight decay.

        m = β₁ m + (1 - β₁) g,   m̂ = m / (1 - β₁ᵗ)
        v = β₂ v + (1 - β₂) g²,  v̂ = v / (1 - β₂ᵗ)
        w = w - lr (m̂ / (√v̂ + eps) + weight_decay w)

    betas: β₁ and β₂. eps: keeps the quotient finite. weight_decay: share of every weight lost at each step, times lr.

    >>> w = np.array([1.0]); Adam(lr=0.1).update(w, np.array([2.0])); w.round(6)
    array([0.9])

    Kingma and Ba 2015, algorithm 1: eps is added to √v̂, after the correction of the bias; other dialects add it
    before. Decoupled decay: Loshchilov and Hutter 2019, algorithm 2.
    """

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: PositiveHyper = 1e-8
    weight_decay: Hyper = 0.0

    slots = ("m", "v")

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **slots: Array) -> None:
        """The equations of the class."""
        m, v, lr = slots["m"], slots["v"], current(self.lr, clock)
        beta1, beta2 = (current(beta, clock) for beta in self.betas)
        m += np.multiply(np.subtract(g, m, out=r), 1 - beta1, out=r)
        v += np.multiply(np.subtract(np.multiply(g, g, out=r), v, out=r), 1 - beta2, out=r)
        # m̂ / (√v̂ + eps) = (c₂ / c₁) m / (√v + c₂ eps), with c₁ = 1 - β₁ᵗ and c₂ = √(1 - β₂ᵗ): two passes fewer
        c1, c2 = 1 - beta1**t, math.sqrt(1 - beta2**t)
        np.sqrt(v, out=r)
        r += c2 * current(self.eps, clock)
        np.divide(m, r, out=r)
        r *= lr * c2 / c1
        if self.weight_decay:
            w *= 1 - lr * current(self.weight_decay, clock)
        w -= r
