"""Schedules along half a cosine: once, with restarts, and as one cycle up and down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from minidl.optim.schedules.schedule import Clock, NonNegative, Positive, Schedule, Steps, power, warmed


def half_cosine(start: float, end: float, fraction: float) -> float:
    """From `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


@dataclass(frozen=True)
class Cosine(Schedule):
    """Up in a line, down along half a cosine.

        s(t) = peak (t + 1) / w                                     t < w = warmup_steps
        s(t) = final + (peak - final) (1 + cos(π (t - w) / (n - w))) / 2     up to n = total_steps, then final

    peak: the largest number. warmup_steps: of the line up. final: the number at the end, and after it. total_steps: of
    the run, where it is not given. from_zero: warm up by t / w instead, so that the first step is 0, as Keras and the
    schedules of language models have it.

    >>> cosine = Cosine(1.0, warmup_steps=2, total_steps=10)
    >>> [round(cosine.value(Clock(step=t)), 3) for t in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]

    Loshchilov and Hutter 2017, equation 5, without restarts.
    """

    peak: NonNegative
    warmup_steps: Annotated[int, Ge(0)] = 0
    final: NonNegative = 0.0
    total_steps: Steps | None = None
    from_zero: bool = False

    def value(self, clock: Clock) -> float:
        """A point of the curve."""
        total = self.end(clock, self.total_steps)
        if clock.step < self.warmup_steps:
            return self.peak * warmed(clock.step, self.warmup_steps, self.from_zero)
        fraction = min(1.0, (clock.step - self.warmup_steps) / max(1, total - self.warmup_steps))
        return half_cosine(self.peak, self.final, fraction)


@dataclass(frozen=True)
class Restarts(Schedule):
    """Down along half a cosine, again and again.

        s(t) = final + (peak dⁱ - final) (1 + cos(π τ / Tᵢ)) / 2,   Tᵢ = period · growthⁱ

    peak: where the first fall begins. final: where each fall ends. period: T₀, steps of the first fall. growth: how
    many times longer each fall is than the one before. decay: d, how many times higher each begins. τ are the steps
    since restart i.

    >>> [Restarts(1.0, period=2, growth=2).value(Clock(step=t)) for t in (0, 1, 2, 4, 6)]
    [1.0, 0.5, 1.0, 0.5, 1.0]

    Loshchilov and Hutter 2017, equation 5.
    """

    peak: NonNegative
    period: Steps
    growth: Annotated[int, Ge(1)] = 1
    decay: Annotated[float, Gt(0)] = 1.0
    final: NonNegative = 0.0

    def value(self, clock: Clock) -> float:
        """A point of the curve."""
        if self.growth == 1:
            restart, since = divmod(clock.step, self.period)
            length = self.period
        else:
            restart, since, length = 0, clock.step, self.period
            while since >= length:
                restart, since, length = restart + 1, since - length, length * self.growth
        return half_cosine(max(self.final, self.peak * power(self.decay, restart)), self.final, since / length)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up along half a cosine, then down along another, far below the start.

        up    from peak / start to peak             until t = u n - 1
        down  from peak to peak / (start · end_divisor)     until t = n - 1

    peak: the largest number. rise: u, the share of the n = total_steps that go up. total_steps: of the run, where it is
    not given. start, end_divisor: how far below the peak.

    >>> cycle = OneCycle(1.0, total_steps=11, rise=0.55, start=4.0)
    >>> [round(cycle.value(Clock(step=t)), 3) for t in (0, 5, 10)]
    [0.25, 1.0, 0.0]

    Smith and Topin 2018, section 2, with cosines in the place of lines, as PyTorch has it.
    """

    peak: NonNegative
    total_steps: Steps | None = None
    rise: Annotated[float, Gt(0), Lt(1)] = 0.3
    start: Positive = 25.0
    end_divisor: Positive = 1e4

    def value(self, clock: Clock) -> float:
        """A point of the curves."""
        last = self.end(clock, self.total_steps) - 1
        top = self.rise * (last + 1) - 1
        low = self.peak / self.start
        if clock.step <= top:
            return half_cosine(low, self.peak, clock.step / top if top else 1.0)
        fraction = min(1.0, (clock.step - top) / (last - top)) if last > top else 1.0
        return half_cosine(self.peak, low / self.end_divisor, fraction)
