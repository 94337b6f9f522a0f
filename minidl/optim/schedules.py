"""Numbers that change over the steps of a run: learning rates, and any other hyperparameter of an optimizer.

A schedule is a pure function of the clock. It remembers nothing, so that there is nothing to save or to lose.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeVar

from annotated_types import Ge, Gt, Lt

from minidl.config.declared import Declared, snake_case
from minidl.system.errors import ConfigError

NonNegative = Annotated[float, Ge(0)]
Steps = Annotated[int, Gt(0)]
D = TypeVar("D", bound=Declared)


class Clock(NamedTuple):
    """How far a run is: updates done, updates in all (as far as known), validation losses so far."""

    step: int = 0
    total_steps: int | None = None
    validation: Sequence[float] = ()


@dataclass(frozen=True)
class Schedule(Declared, family="schedule"):
    """Base of the schedules: `value(clock)` is the number to use for the next update."""

    @classmethod
    def type_name(cls) -> str:
        """The name in files: the class in small letters."""
        return snake_case(cls.__name__)

    def value(self, clock: Clock) -> float:
        """The number to use for the update after `clock.step` updates."""
        raise NotImplementedError


Hyper = NonNegative | Schedule
PositiveHyper = Annotated[float, Gt(0)] | Schedule
Decay = Annotated[float, Ge(0), Lt(1)] | Schedule  # what a running average keeps at each step


def current(value: float | Schedule, clock: Clock) -> float:
    """A hyperparameter now: the number itself, or what its schedule says."""
    return value.value(clock) if isinstance(value, Schedule) else value


def at(declared: D, clock: Clock) -> D:
    """A declaration with the number of now in the place of each schedule, which is held to the range of its field."""

    def now(value: Any) -> Any:
        return tuple(map(now, value)) if isinstance(value, tuple) else current(value, clock)

    numbers = {name: now(value) for name, value in scheduled(declared).items()}
    return dataclasses.replace(declared, **numbers) if numbers else declared  # type: ignore[type-var]


def scheduled(declared: Any) -> dict[str, Any]:
    """The fields that are schedules, or tuples with one."""
    return {
        name: value
        for name, value in vars(declared).items()
        if isinstance(value, Schedule) or (isinstance(value, tuple) and any(isinstance(v, Schedule) for v in value))
    }


@dataclass(frozen=True)
class Constant(Schedule):
    """Always the same: s(t) = initial.

    >>> Constant(0.1).value(Clock(step=1000))
    0.1
    """

    initial: NonNegative

    def value(self, clock: Clock) -> float:
        """`initial`."""
        return self.initial


@dataclass(frozen=True)
class Step(Schedule):
    """A factor every so many steps: s(t) = initial · factor^⌊t / every⌋.

    >>> [Step(1.0, every=10, factor=0.5).value(Clock(step=t)) for t in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    initial: NonNegative
    every: Steps
    factor: Annotated[float, Gt(0)] = 0.1

    def value(self, clock: Clock) -> float:
        """`initial` times a power of `factor`."""
        return self.initial * math.pow(self.factor, clock.step // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """A steady decay: s(t) = initial · factor^(t / every).

    >>> Exponential(1.0, every=10, factor=0.25).value(Clock(step=5))
    0.5
    """

    initial: NonNegative
    every: Steps
    factor: Annotated[float, Gt(0)] = 0.5

    def value(self, clock: Clock) -> float:
        """`initial` times a broken power of `factor`."""
        return self.initial * math.pow(self.factor, clock.step / self.every)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Up in a line, down along half a cosine.

        s(t) = peak (t + 1) / w                                     t < w = warmup_steps
        s(t) = final + (peak - final) (1 + cos(π (t - w) / (n - w))) / 2     up to n = total_steps, then final

    total_steps: of the run, where it is not given.

    >>> cosine = Cosine(1.0, warmup_steps=2, total_steps=10)
    >>> [round(cosine.value(Clock(step=t)), 3) for t in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]

    Loshchilov and Hutter 2017, equation 5, without restarts.
    """

    peak: NonNegative
    warmup_steps: Annotated[int, Ge(0)] = 0
    final: NonNegative = 0.0
    total_steps: Steps | None = None

    def value(self, clock: Clock) -> float:
        """A point of the curve."""
        total = self.total_steps or clock.total_steps
        if total is None:
            raise ConfigError("a cosine schedule has to know where it ends: give it total_steps, or use a Trainer")
        if clock.step < self.warmup_steps:
            return self.peak * (clock.step + 1) / self.warmup_steps
        fraction = min(1.0, (clock.step - self.warmup_steps) / max(1, total - self.warmup_steps))
        return self.final + (self.peak - self.final) * (1 + math.cos(math.pi * fraction)) / 2


@dataclass(frozen=True)
class Warmup(Schedule):
    """Up in a line, then another schedule: s(t) = then(t) · min(1, (t + 1) / steps).

    >>> [Warmup(steps=4, then=0.8).value(Clock(step=t)) for t in (0, 1, 3, 9)]
    [0.2, 0.4, 0.8, 0.8]
    """

    steps: Steps
    then: Hyper

    def value(self, clock: Clock) -> float:
        """The following schedule, scaled while the warm-up lasts."""
        return current(self.then, clock) * min(1.0, (clock.step + 1) / self.steps)


@dataclass(frozen=True)
class Plateau(Schedule):
    """Lower whenever validation stops improving: s = max(minimum, initial · factor^(number of plateaus)).

    A plateau is `patience` evaluations in a row without a loss below the best so far.

    >>> plateau = Plateau(1.0, factor=0.5, patience=2)
    >>> plateau.value(Clock(validation=[2.0, 1.0, 1.1, 1.2, 0.9]))
    0.5
    """

    initial: NonNegative
    factor: Annotated[float, Gt(0), Lt(1)] = 0.5
    patience: Steps = 3
    minimum: NonNegative = 0.0

    def value(self, clock: Clock) -> float:
        """`initial`, lowered once for each plateau in the history."""
        best, waited, plateaus = math.inf, 0, 0
        for loss in clock.validation:
            waited = 0 if loss < best else waited + 1
            best = min(best, loss)
            if waited == self.patience:
                plateaus, waited = plateaus + 1, 0
        return max(self.minimum, self.initial * self.factor**plateaus)
