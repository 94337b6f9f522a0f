"""minidl itself, on as many of its threads as are fastest. MINIDL_KERNELS in the environment says which kernels."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from benchmarks.peers.peer import Peer
from benchmarks.start import Weights, batches, model
from benchmarks.workloads import Workload
from minidl import Model
from minidl.generate.sampler import Sampler
from minidl.generate.sampling import generate
from minidl.optim import Adam
from minidl.training.autotune import use_fastest


class Training(Peer):
    """Forward, backward, clip and Adam."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        self.model = start(workload, weights)
        self.optimizer = Adam(lr=workload.lr, clip_value=workload.clip_value)
        self.batches = cycle(batches(workload))
        ids, targets = batches(workload)[0]
        use_fastest(self.model, {"ids": ids, "targets": targets})

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
        self.given = cycle(batches(workload))
        self.symbols = generate(self.model, [0], Sampler(), np.random.default_rng(0))

    def step(self) -> int:
        """One symbol."""
        return next(self.symbols)

    def losses(self, steps: int) -> list[float]:
        """Of given symbols instead of drawn ones."""
        given = [next(self.given) for _ in range(steps)]
        return [self.model.forward(ids=ids, targets=targets)["loss"] for ids, targets in given]


def start(workload: Workload, weights: Weights) -> Model:
    """The model with given weights."""
    made = model(workload)
    for name, array in weights.items():
        made.parameters[name][...] = array
    return made
