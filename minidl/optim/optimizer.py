"""What an optimizer is: a rule that turns a gradient into a change of the weights, in place and over flat vectors.

An optimizer is its hyperparameters and a `rule` of a few lines. The vectors that a rule needs from step to step (its
`slots`) and the number of steps are kept in `history`; `state_dict` gives it to checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from minidl.config.declared import Declared
from minidl.engine.buffers import zeros
from minidl.engine.dispatch import implementation
from minidl.engine.parameters import Part
from minidl.graph.arrays import Array
from minidl.graph.operations import norm
from minidl.optim.groups import Groups, Segment, segments
from minidl.optim.optimizer_state import Bound, History
from minidl.optim.schedules import Clock, Hyper, PositiveHyper, at, current, scheduled
from minidl.system.errors import NumericsError, UsageError

if TYPE_CHECKING:
    from minidl.model import Model

BLOCK = 1 << 16  # numbers updated at a time, more or less: fewer lose time in calls, more do not stay in the cache


@dataclass(frozen=True)
class Optimizer(Declared, family="optimizer"):
    """Base of the optimizers.

    Every hyperparameter may be a number or a schedule. lr: learning rate. clip_value: bound of each entry of the
    gradient. clip_norm: bound of its length over all parameters together. l2: adds l2 · w to the clipped gradient, the
    decay of old. groups: other hyperparameters by patterns of parameter names; a later pattern has the last word, and
    freeze (true, or a number of steps) leaves weights as they are.

        groups = {"embedding/*": {"lr": 0.1, "freeze": 500}, "*/b": {"weight_decay": 0}}

    Raises ConfigError where a hyperparameter is out of its range; see `step` for the others.

    Clipping by norm: Pascanu, Mikolov, Bengio 2013, algorithm 1.
    """

    lr: Hyper = 1e-3
    clip_value: PositiveHyper | None = field(default=None, kw_only=True)
    clip_norm: PositiveHyper | None = field(default=None, kw_only=True)
    l2: Hyper = field(default=0.0, kw_only=True)
    groups: Mapping[str, Mapping[str, Any]] | None = field(default=None, kw_only=True)

    slots: ClassVar[tuple[str, ...]] = ()  # vectors laid out as the weights are
    scalars: ClassVar[tuple[str, ...]] = ()  # numbers, one for each group
    by_parameter: ClassVar[bool] = False  # whether the rule is given one parameter at a time, in its shape
    evaluated: ClassVar[str | None] = None  # the slot with which a model is evaluated, in the place of its weights

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups is not None:
            object.__setattr__(self, "groups", Groups.of(type(self), self.groups))

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The slots that these hyperparameters need."""
        return self.slots

    @cached_property
    def history(self) -> History:
        """What is kept from step to step."""
        return History()

    def step(self, model: Model, clock: Clock | None = None) -> None:
        """One update of a model's weights from the gradients of its last backward pass.

        clock: for schedules; counts the updates of this optimizer where it is not given. Raises UsageError where there
        has been no backward pass, NumericsError where the gradient is not finite; neither changes the weights.
        """
        if not hasattr(model, "executor"):
            raise UsageError(f"an optimizer steps a Model, got {type(model).__name__}")
        model.executor.check_gradient()
        weights = model.weights
        self.update(weights.flat, model.executor.gradient, clock, weights.parts if self._by_name else ())
        weights.version += 1

    def update(self, weights: Array, gradient: Array, clock: Clock | None = None, parts: Sequence[Part] = ()) -> None:
        """One update of an array of weights; the gradient is clipped in place. parts: the parameters in a vector."""
        if weights.ndim != 1:
            parts = parts or (Part("w", 0, weights.size, weights.shape),)
            weights, gradient = weights.reshape(-1, copy=False), gradient.reshape(-1, copy=False)
        found = self._segments_for(weights, parts)
        history = self.prepare(weights, parts)
        clock = clock or Clock(history.steps)
        for segment in found:
            if segment.is_frozen(history.steps):
                gradient[segment.part] = 0
        steps = [None if s.is_frozen(history.steps) else s.optimizer.now(clock) for s in found]
        bound = self._bound_to(weights, gradient, found)
        length = history.grad_norm = bound.length(self)
        if not math.isfinite(length):
            raise NumericsError("the gradient holds NaN or infinity; the weights have not been changed")
        history.clipped_by = max(1.0, length / current(self.clip_norm or math.inf, clock))
        history.steps += 1
        for segment, now, change in zip(found, steps, bound.changes, strict=True):
            if now is not None:
                change(now, length=length, t=segment.updates(history.steps), clock=clock)

    def _bound_to(self, weights: Array, gradient: Array, found: Sequence[Segment]) -> Bound:
        """`length`, and `change` for each segment, or their compiled twins, with their arrays in place."""
        history = self.history
        arrays = (weights, gradient, found, *history.slots.values(), *history.scalars.values())
        if history.bound is None or not history.bound.fits(arrays):
            length = self._bind("length", weights.dtype, gradient=gradient)
            history.bound = Bound(arrays, length, [self._change(segment, weights, gradient) for segment in found])
        return history.bound

    def _change(self, segment: Segment, weights: Array, gradient: Array) -> Callable[..., None]:
        """What lets the rule of a segment change it, with the hyperparameters of this step."""
        own, part, k = segment.optimizer, segment.part, segment.number
        arrays = {"w": weights[part], "g": gradient[part]}
        arrays |= {name: self.history.slots[name][part] for name in own.slot_names}
        if segment.shape is not None:
            arrays = {name: array.reshape(segment.shape) for name, array in arrays.items()}
        scalars = {name: self.history.scalars[name][k : k + 1] for name in own.scalars}
        change: Callable[..., None] = own._bind("change", weights.dtype, **arrays, **scalars)
        return change

    def _bind(self, function: str, dtype: np.dtype[Any], **arrays: Array) -> Callable[..., Any]:
        """A method, or its compiled twin, with its arrays in place: it is called with the optimizer of that step."""
        kind = self.compiled_as()
        own = getattr(kind or type(self), function)
        found = own if kind is None else implementation(kind, function, dtype)
        return partial(own, **arrays) if found is own else found(**arrays)

    def for_parameter(self, name: str, shape: tuple[int, ...]) -> Optimizer:
        """The optimizer that moves this parameter, where a rule is given one parameter at a time."""
        return self

    def length(self, gradient: Array) -> float:
        """The Euclidean length of a gradient, as it is measured for clipping."""
        return norm(gradient)

    def change(self, w: Array, g: Array, length: float, t: int, clock: Clock, **kept: Array) -> None:
        """Clip the gradient g, whose length is known, and follow the rule, block by block."""
        self.clip(g, length, clock)
        self.begin(t, clock, **{name: kept[name] for name in self.scalars})
        size = -(-w.size // max(1, round(w.size / BLOCK))) or 1
        scratch = np.empty(size, w.dtype)
        l2 = current(self.l2, clock)
        for start in range(0, w.size, size):
            part = slice(start, start + size)
            room = scratch[: w[part].size]
            of_block = {name: value if name in self.scalars else value[part] for name, value in kept.items()}
            if l2:
                g[part] += np.multiply(w[part], l2, out=room)
            self.rule(w[part], g[part], t, clock, room, **of_block)

    def begin(self, t: int, clock: Clock, **scalars: Array) -> None:
        """Bring scalars to update t, before the first block of it."""

    def rule(self, w: Array, g: Array, t: int, clock: Clock, r: Array, **kept: Array) -> None:
        """Change w, a block of weights, by its gradient g at update t = 1, 2, …; r is room of the same size."""
        raise NotImplementedError

    def first(self, name: str, weights: Array) -> Array:
        """What a slot begins with."""
        return zeros(weights.size, weights.dtype)

    def clip(self, gradient: Array, length: float, clock: Clock) -> None:
        """Clip a gradient, or a part of one, by value and by the norm of the whole."""
        bound, longest = (
            math.inf if limit is None else current(limit, clock) for limit in (self.clip_value, self.clip_norm)
        )
        if length > bound and max(gradient.max(), -gradient.min()) > bound:  # looking is quicker than clipping
            np.clip(gradient, -bound, bound, out=gradient)
        if length > longest:
            gradient *= longest / length

    def compiled_as(self) -> type[Optimizer] | None:
        """The class whose compiled twin computes this rule; None where these hyperparameters have none."""
        return None if self.l2 else type(self)

    def prepare(self, weights: Array, parts: Sequence[Part] = ()) -> History:
        """The history, with a slot for each weight."""
        history = self.history
        for name in self.slot_names:
            slot = history.slots.get(name)
            if slot is None:
                slot = history.slots[name] = self.first(name, weights)
            if slot.shape != weights.shape:
                raise UsageError(
                    f"this {type(self).__name__} has been used on {slot.size:,} weights, the model has "
                    f"{weights.size:,}: make one optimizer for each model"
                )
        for name in self.scalars:
            if name not in history.scalars:
                history.scalars[name] = np.zeros(len(self._segments_for(weights, parts)))
        return history

    def state_dict(self) -> dict[str, Any]:
        """What the next step depends on: steps, grad_norm, and the slots and scalars as arrays by name."""
        return self.history.state_dict()

    def load_state_dict(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.history.load_state_dict(kept, self.slot_names, self.scalars, type(self).__name__)

    def now(self, clock: Clock) -> Optimizer:
        """The optimizer with the number of now in the place of each schedule."""
        return at(self, self._schedules, clock) if self._schedules else self

    @cached_property
    def _schedules(self) -> dict[str, Any]:
        return scheduled(self)

    @property
    def _by_name(self) -> bool:
        """Whether it matters which weights belong to which parameter."""
        return self.by_parameter or self.groups is not None

    @cached_property
    def _segments(self) -> dict[Any, tuple[Segment, ...]]:
        return {}

    def _segments_for(self, weights: Array, parts: Sequence[Part]) -> tuple[Segment, ...]:
        key = weights.shape, tuple(parts)
        if (found := self._segments.get(key)) is None:
            found = self._segments[key] = segments(self, weights, parts)
        return found
