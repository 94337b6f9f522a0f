"""Schedules that fall along a simple curve: steps, an exponential, a line, a polynomial, an inverse square root."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from annotated_types import Gt

from minidl.optim.schedules.schedule import Clock, NonNegative, Positive, Schedule, Steps, power
from minidl.system.errors import ConfigError


@dataclass(frozen=True)
class Constant(Schedule):
    """Always the same: s(t) = initial.

    initial: the number.

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

    initial: the number at step 0. every: steps from one change to the next. factor: of each change.

    >>> [Step(1.0, every=10, factor=0.5).value(Clock(step=t)) for t in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    initial: NonNegative
    every: Steps
    factor: Positive = 0.1

    def value(self, clock: Clock) -> float:
        """`initial` times a power of `factor`."""
        return self.initial * power(self.factor, clock.step // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """A steady decay: s(t) = initial · factor^(t / every).

    initial: the number at step 0. every: steps in which it changes by the factor. factor: below 1 for a decay.

    >>> Exponential(1.0, every=10, factor=0.25).value(Clock(step=5))
    0.5
    """

    initial: NonNegative
    every: Steps
    factor: Positive = 0.5

    def value(self, clock: Clock) -> float:
        """`initial` times a broken power of `factor`."""
        return self.initial * power(self.factor, clock.step / self.every)


@dataclass(frozen=True)
class Linear(Schedule):
    """A straight line: s(t) = initial + (final - initial) min(1, t / n), with n = total_steps.

    initial: the number at step 0. final: the number at the end, and after it. total_steps: of the run, where it is not
    given.

    >>> [Linear(1.0, final=0.5, total_steps=10).value(Clock(step=t)) for t in (0, 5, 10, 20)]
    [1.0, 0.75, 0.5, 0.5]
    """

    initial: NonNegative
    final: NonNegative = 0.0
    total_steps: Steps | None = None

    def value(self, clock: Clock) -> float:
        """A point of the line."""
        fraction = min(1.0, clock.step / self.end(clock, self.total_steps))
        return self.initial + (self.final - self.initial) * fraction


@dataclass(frozen=True)
class Polynomial(Schedule):
    """A power of what is left: s(t) = final + (initial - final) (1 - min(1, t / n))^power, with n = total_steps.

    initial: the number at step 0. final: the number at the end, and after it. power: 1 for a line, 2 for a parabola.
    total_steps: of the run, where it is not given.

    >>> [Polynomial(1.0, power=2, total_steps=10).value(Clock(step=t)) for t in (0, 5, 10)]
    [1.0, 0.25, 0.0]
    """

    initial: NonNegative
    final: NonNegative = 0.0
    power: Positive = 2.0
    total_steps: Steps | None = None

    def value(self, clock: Clock) -> float:
        """A point of the curve."""
        left = 1.0 - min(1.0, clock.step / self.end(clock, self.total_steps))
        return self.final + (self.initial - self.final) * power(left, self.power)


@dataclass(frozen=True)
class Piecewise(Schedule):
    """Constant between boundaries: s(t) = values[k], where k of the boundaries are t or less.

    values: one more than boundaries. boundaries: steps, each after the one before it.

    >>> [Piecewise((1.0, 0.1), boundaries=(10,)).value(Clock(step=t)) for t in (0, 9, 10)]
    [1.0, 1.0, 0.1]
    """

    values: tuple[NonNegative, ...]
    boundaries: tuple[Steps, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_boundaries(self.boundaries, len(self.values), "values")

    def value(self, clock: Clock) -> float:
        """The value of the piece."""
        return self.values[sum(boundary <= clock.step for boundary in self.boundaries)]


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """Up in a line, down with the square root of the steps: s(t) = peak min((t + 1) / w, √(w / (t + 1))).

    peak: the largest number. warmup_steps: w, after which the peak is reached.

    >>> [InverseSqrt(1.0, warmup_steps=4).value(Clock(step=t)) for t in (0, 3, 15)]
    [0.25, 1.0, 0.5]

    Vaswani et al. 2017, equation 3, with the peak in the place of √(d w).
    """

    peak: NonNegative
    warmup_steps: Annotated[int, Gt(0)] = 1

    def value(self, clock: Clock) -> float:
        """A point of the curve."""
        t, w = clock.step + 1, self.warmup_steps
        return self.peak * min(t / w, math.sqrt(w / t))


def check_boundaries(boundaries: tuple[int, ...], pieces: int, what: str) -> None:
    """Refuse boundaries that do not separate so many pieces, or are not in order."""
    if pieces != len(boundaries) + 1:
        raise ConfigError(f"{len(boundaries)} boundaries separate {len(boundaries) + 1} {what}, got {pieces}")
    if any(a >= b for a, b in pairwise(boundaries)):
        raise ConfigError(f"each of the boundaries should be greater than the one before it, got {list(boundaries)}")
