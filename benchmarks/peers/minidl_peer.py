"""minidl itself, on as many of its threads as are fastest. MINIDL_KERNELS in the environment says which kernels."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from benchmarks.peers.inference import Array
from benchmarks.peers.inference import Inference as AnyInference
from benchmarks.peers.peer import Peer
from benchmarks.start import Weights, batches, model
from benchmarks.workloads import Workload
from minidl.generate.sampler import Sampler
from minidl.generate.sampling import generate
from minidl.optim import Adam
from minidl.training.autotune import use_fastest


class Training(Peer):
    """Forward, backward, clip and Adam."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        self.model = model(workload, weights)
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
        self.model = model(workload, weights).replica()
        self.given = cycle(batches(workload))
        self.symbols = generate(self.model, [0], Sampler(), np.random.default_rng(0))

    def step(self) -> int:
        """One symbol."""
        return next(self.symbols)

    def losses(self, steps: int) -> list[float]:
        """Of given symbols instead of drawn ones."""
        given = [next(self.given) for _ in range(steps)]
        return [self.model.forward(ids=ids, targets=targets)["loss"] for ids, targets in given]


class Inference(AnyInference):
    """Logits of window after window."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        super().__init__(workload)
        self.model = model(workload, weights).replica(caches=False)
        ids, targets = batches(workload)[0]
        use_fastest(self.model, {"ids": ids, "targets": targets})

    def logits(self, ids: Array) -> Array:
        """Of a window, from the state that the one before has left."""
        logits: Array = self.model.forward(ids=ids)["logits"]
        return logits


def peer(workload: Workload, weights: Weights, _setting: str) -> Peer:
    """What does this work."""
    kinds = {"training": Training, "inference": Inference, "sampling": Sampling}
    made: Peer = kinds[workload.use](workload, weights)
    return made
