"""The weights that are evaluated and saved, where they are not those that are trained: averages over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt

from minidl.config.declared import Declared
from minidl.engine.parameters import Parameters
from minidl.optim import Optimizer
from minidl.training.progress import Progress

HEAD_START = 10  # steps: the average forgets the first weights faster while it is young


@dataclass(frozen=True)
class NonMonotonic(Declared, family="average", abstract=False):
    """Begin to average where validation stops to improve: v > the least of all losses but the `patience` before v.

    patience: how many evaluations. With SGD of one learning rate this is NT-ASGD.

    Merity, Keskar, Socher 2018, algorithm 1.
    """

    patience: Annotated[int, Gt(0)] = 5

    def begins(self, validation: Sequence[float]) -> bool:
        """Whether the last of these losses is the one that sets it off."""
        return len(validation) > self.patience + 1 and validation[-1] > min(validation[: -1 - self.patience])


class WeightAverage:
    """An average of weights: a = d a + (1 - d) w after each step.

    A moving one by a number: d = min(number, (1 + t) / (10 + t)), which TensorFlow lets grow likewise. By NonMonotonic
    the mean of all since it began, d = (n - 1) / n; until then the weights themselves.

    Polyak and Juditsky 1992.
    """

    def __init__(self, weights: Parameters, rule: float | NonMonotonic) -> None:
        self.weights, self.rule = weights, rule
        self.parameters = weights.astype(weights.flat.dtype)

    def update(self, progress: Progress) -> None:
        """Take in the weights of now."""
        average = self.parameters.flat
        average += (1 - self._decay(progress)) * (self.weights.flat - average)

    def _decay(self, progress: Progress) -> float:
        if not isinstance(self.rule, NonMonotonic):
            return min(self.rule, (1 + progress.step) / (HEAD_START + progress.step))
        progress.averaged += progress.averaged > 0 or self.rule.begins(progress.validation)
        return 1 - 1 / max(1, progress.averaged)


def evaluated_weights(weights: Parameters, optimizer: Optimizer) -> Parameters:
    """The weights that an optimizer wants to be evaluated: its own average, or those that it trains."""
    if optimizer.evaluated is None:
        return weights
    slots = optimizer.prepare(weights.flat, weights.parts).slots
    return Parameters.over(weights.declared, slots[optimizer.evaluated])
