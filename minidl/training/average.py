"""The weights that are evaluated and saved, where they are not those that are trained: averages over the steps."""

from __future__ import annotations

from minidl.engine.parameters import Parameters
from minidl.optim import Optimizer

HEAD_START = 10  # steps: the average forgets the first weights faster while it is young


class WeightAverage:
    """A moving average of weights: a = d a + (1 - d) w after each step, with d = min(decay, (1 + t) / (10 + t)).

    Polyak and Juditsky 1992; the growing d is TensorFlow's.
    """

    def __init__(self, weights: Parameters, decay: float) -> None:
        self.weights, self.decay = weights, decay
        self.parameters = weights.astype(weights.flat.dtype)

    def update(self, step: int) -> None:
        """Take in the weights after so many steps."""
        decay = min(self.decay, (1 + step) / (HEAD_START + step))
        average = self.parameters.flat
        average += (1 - decay) * (self.weights.flat - average)


def evaluated_weights(weights: Parameters, optimizer: Optimizer) -> Parameters:
    """The weights that an optimizer wants to be evaluated: its own average, or those that it trains."""
    if optimizer.evaluated is None:
        return weights
    slots = optimizer.prepare(weights.flat, weights.parts).slots
    return Parameters.over(weights.declared, slots[optimizer.evaluated])
