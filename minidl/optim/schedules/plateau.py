"""Plateau: the schedule that follows validation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from minidl.optim.schedules.schedule import Clock, NonNegative, Schedule, Steps


@dataclass(frozen=True)
class Plateau(Schedule):
    """Lower whenever validation stops improving: s = max(minimum, initial · factor^(number of plateaus)).

    A plateau is `patience` evaluations in a row without a loss L that is better than the best so far:

        L < best - threshold |best| - min_delta

    initial: the number before the first plateau. factor: of each lowering. patience: evaluations. minimum: below which
    nothing is lowered. threshold: a share of the best loss. min_delta: nats, or whatever the loss is in. cooldown:
    evaluations after a lowering that do not count as waiting.

    >>> plateau = Plateau(1.0, factor=0.5, patience=2)
    >>> plateau.value(Clock(validation=[2.0, 1.0, 1.1, 1.2, 0.9]))
    0.5
    """

    initial: NonNegative
    factor: Annotated[float, Gt(0), Lt(1)] = 0.5
    patience: Steps = 3
    minimum: NonNegative = 0.0
    min_delta: NonNegative = 0.0
    threshold: Annotated[float, Ge(0), Lt(1)] = 0.0
    cooldown: Annotated[int, Ge(0)] = 0

    def value(self, clock: Clock) -> float:
        """`initial`, lowered once for each plateau in the history."""
        best, waited, plateaus, resting = math.inf, 0, 0, 0
        for loss in clock.validation:
            if self.is_better(loss, best):
                best, waited = loss, 0
            else:
                waited += 1
            if resting:
                resting, waited = resting - 1, 0
            if waited == self.patience:
                plateaus, waited, resting = plateaus + 1, 0, self.cooldown
        return max(self.minimum, self.initial * self.factor**plateaus)

    def is_better(self, loss: float, best: float) -> bool:
        """Whether a loss is so far below the best one that it counts."""
        margin = self.threshold * abs(best) + self.min_delta if math.isfinite(best) else 0.0
        return loss < best - margin
