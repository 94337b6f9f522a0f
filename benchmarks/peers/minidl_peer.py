"""minidl itself. Which kernels it uses is set in the environment of the process (MINIDL_KERNELS)."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from benchmarks.peers.peer import Peer
from benchmarks.start import Weights, batches, model
from benchmarks.workloads import Workload
from minidl import Model
from minidl.ops import softmax
from minidl.optim import Adam


class Training(Peer):
    """Forward, backward, clip and Adam."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        self.model = start(workload, weights)
        self.optimizer = Adam(lr=workload.lr, clip_value=workload.clip_value)
        self.batches = cycle(batches(workload))

    def step(self) -> float:
        """One training step."""
        ids, targets = next(self.batches)
        loss: float = self.model.forward(ids=ids, targets=targets)["loss"]
        self.model.backward()
        self.optimizer.step(self.model)
        return loss


class Sampling(Peer):
    """Symbol after symbol, each drawn from the softmax of the logits and fed back."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        self.model = start(workload, weights).replica()
        self.batches = cycle(batches(workload))
        self.rng = np.random.default_rng(0)
        self.id = np.zeros((1, 1), np.int64)
        self.p = np.empty(workload.symbols, np.float32)

    def step(self) -> int:
        """One symbol."""
        softmax(self.model.forward(ids=self.id)["logits"][0, 0], out=self.p)
        drawn = int(np.searchsorted(np.cumsum(self.p), self.rng.random()))
        self.id[0, 0] = min(drawn, self.p.size - 1)  # a sum may round to less than 1
        return drawn

    def losses(self, steps: int) -> list[float]:
        """Of given symbols instead of drawn ones."""
        given = [next(self.batches) for _ in range(steps)]
        return [self.model.forward(ids=ids, targets=targets)["loss"] for ids, targets in given]


def start(workload: Workload, weights: Weights) -> Model:
    """The model with given weights."""
    made = model(workload)
    for name, array in weights.items():
        made.parameters[name][...] = array
    return made
