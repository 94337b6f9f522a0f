"""What a schedule is: a number that changes over the steps of a run, as a pure function of the clock.

It remembers nothing, so that there is nothing to save or to lose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypeVar

from annotated_types import Ge, Gt, Lt

from minidl.config.declared import Declared, SnakeCased
from minidl.system.errors import ConfigError

NonNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Steps = Annotated[int, Gt(0)]
D = TypeVar("D", bound=Declared)


class Clock(NamedTuple):
    """How far a run is: updates done, updates in all (as far as known), validation losses so far."""

    step: int = 0
    total_steps: int | None = None
    validation: Sequence[float] = ()


@dataclass(frozen=True)
class Schedule(SnakeCased, family="schedule"):
    """Base of the schedules: `value(clock)` is the number to use for the next update.

    Raises ConfigError where an argument is out of its range.
    """

    def value(self, clock: Clock) -> float:
        """The number to use for the update after `clock.step` updates."""
        raise NotImplementedError

    def end(self, clock: Clock, given: int | None) -> int:
        """The step at which the schedule ends: the one given, or the last of the run."""
        total = given or clock.total_steps
        if total is None:
            kind = self.type_name()
            raise ConfigError(f"a {kind} schedule has to know where it ends: give it total_steps, or use a Trainer")
        return total


Hyper = NonNegative | Schedule
PositiveHyper = Positive | Schedule
Decay = Annotated[float, Ge(0), Lt(1)] | Schedule  # what a running average keeps at each step


def current(value: float | Schedule, clock: Clock) -> float:
    """A hyperparameter now: the number itself, or what its schedule says."""
    return value.value(clock) if isinstance(value, Schedule) else value


def at(declared: D, schedules: Mapping[str, Any], clock: Clock) -> D:
    """A declaration with the number of now in the place of its schedules, which is held to the range of its field."""
    from minidl.config.build import check  # brings in pydantic, which takes a while

    def now(value: Any) -> Any:
        return tuple(map(now, value)) if isinstance(value, tuple) else current(value, clock)

    moved = copy(declared)  # as dataclasses.replace, in a third of the time: each step of a run comes by here
    vars(moved).update({name: now(value) for name, value in schedules.items()})
    check(moved)
    return moved


def scheduled(declared: Any) -> dict[str, Any]:
    """The fields that are schedules, or tuples with one."""
    return {
        name: value
        for name, value in vars(declared).items()
        if isinstance(value, Schedule) or (isinstance(value, tuple) and any(isinstance(v, Schedule) for v in value))
    }


def power(base: float, exponent: float) -> float:
    """base ** exponent, infinite where a float cannot hold it.

    >>> power(10.0, 400)
    inf
    """
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf


def warmed(step: int, steps: int, from_zero: bool) -> float:
    """The share of its value that a schedule has while it warms up for so many steps.

    >>> [warmed(t, 4, False) for t in (0, 3, 9)], [warmed(t, 4, True) for t in (0, 3, 9)]
    ([0.25, 1.0, 1.0], [0.0, 0.75, 1.0])
    """
    return min(1.0, (step + (not from_zero)) / max(1, steps))
