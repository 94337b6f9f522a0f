"""LayerMetrics: how long the gradient and the update of each layer are, to see which layers learn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array
from minidl.graph.operations import norm
from minidl.training.callback import Callback, Run


@dataclass(eq=False)
class LayerMetrics(Callback):
    """Records two lengths for each layer that owns weights.

        layers/grad_norm/NODE      ‖g‖, before clipping by norm: their squares add up to that of train/grad_norm
        layers/update_norm/NODE    ‖w - w₋‖, the change of the weights in the last step

    The weights before are copied only where the coming step will be recorded; their place is taken once, at the
    start, where memory that lacks costs no step.
    """

    order = Callback.MEASURE

    def start(self, trainer: Run) -> None:
        """Take memory for the weights, and keep them if the first step is recorded."""
        self._before: Array = np.empty_like(trainer.model.weights.flat)
        self._look_ahead(trainer)

    def step(self, trainer: Run) -> None:
        """Record when it is due, then look at the step that comes."""
        super().step(trainer)
        self._look_ahead(trainer)

    def act(self, trainer: Run) -> None:
        """Put the lengths into the record of this step."""
        if not math.isfinite(trainer.loss):  # there was no backward pass
            return
        model = trainer.model
        unclipped = trainer.optimizer.history.clipped_by
        for node, length in lengths(model.gradients).items():
            trainer.record[f"layers/grad_norm/{node}"] = length * unclipped
        if self._before_step == trainer.progress.step - 1:
            change = np.subtract(model.weights.flat, self._before, out=self._before)
            for node, length in lengths(model.weights.views(change)).items():
                trainer.record[f"layers/update_norm/{node}"] = length

    def _look_ahead(self, trainer: Run) -> None:
        self._before_step = -1
        if self.every is None or self.every.due_next(trainer):
            self._before[...] = trainer.model.weights.flat
            self._before_step = trainer.progress.step


def lengths(arrays: Mapping[str, Array]) -> dict[str, float]:
    """The Euclidean length of all arrays of a node together.

    >>> import numpy as np
    >>> lengths({"dense/W": np.full((1, 1), 3.0), "dense/b": np.array([4.0])})
    {'dense': 5.0}
    """
    found: dict[str, float] = {}
    for name, array in arrays.items():
        node = name.rpartition("/")[0]
        found[node] = math.hypot(found.get(node, 0.0), norm(array.reshape(-1)))
    return found
