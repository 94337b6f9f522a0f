"""Schedules made of others: a warm-up before one, several one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from minidl.optim.schedules.decay import check_boundaries
from minidl.optim.schedules.schedule import Clock, Hyper, Schedule, Steps, current, warmed


@dataclass(frozen=True)
class Warmup(Schedule):
    """Up in a line, then another schedule: s(t) = then(t) · min(1, (t + 1) / steps).

    steps: of the line up. then: a number, or the schedule that follows, whose steps count from the start. from_zero:
    min(1, t / steps) instead, so that the first step is 0.

    >>> [Warmup(steps=4, then=0.8).value(Clock(step=t)) for t in (0, 1, 3, 9)]
    [0.2, 0.4, 0.8, 0.8]
    """

    steps: Steps
    then: Hyper
    from_zero: bool = False

    def value(self, clock: Clock) -> float:
        """The following schedule, scaled while the warm-up lasts."""
        return current(self.then, clock) * warmed(clock.step, self.steps, self.from_zero)


@dataclass(frozen=True)
class Sequence(Schedule):
    """Schedules one after the other: each counts its steps from its own start.

    schedules: numbers or schedules, one more than boundaries. boundaries: steps, each after the one before it. A
    schedule that has to know where it ends is told the boundary that follows, the last one the end of the run.

    >>> sequence = Sequence((Warmup(2, 1.0), 0.1), boundaries=(4,))
    >>> [sequence.value(Clock(step=t)) for t in (0, 1, 3, 4)]
    [0.5, 1.0, 1.0, 0.1]
    """

    schedules: tuple[Hyper, ...]
    boundaries: tuple[Steps, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_boundaries(self.boundaries, len(self.schedules), "schedules")

    def value(self, clock: Clock) -> float:
        """What the schedule of this piece says."""
        k = sum(boundary <= clock.step for boundary in self.boundaries)
        starts, ends = (0, *self.boundaries), (*self.boundaries, clock.total_steps)
        end = ends[k]
        total = None if end is None else max(1, end - starts[k])
        return current(self.schedules[k], clock._replace(step=clock.step - starts[k], total_steps=total))
