"""What peers that only infer have in common: windows of symbols in, logits out, states carried from one to the next."""

from __future__ import annotations

from abc import abstractmethod
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.peer import Peer
from benchmarks.start import Weights, batches, model
from benchmarks.workloads import Workload

Array = NDArray[Any]


class Inference(Peer):
    """Logits of window after window."""

    def __init__(self, workload: Workload) -> None:
        self.given = cycle(batches(workload))

    @abstractmethod
    def logits(self, ids: Array) -> Array:
        """(T, B, V), of the symbols that follow ids (T, B)."""

    def step(self) -> float:
        """One window; a number of its logits."""
        ids, _ = next(self.given)
        return float(self.logits(ids)[-1, -1, -1])

    def losses(self, steps: int) -> list[float]:
        """How well the logits of the next windows foresee what follows."""
        given = [next(self.given) for _ in range(steps)]
        return [cross_entropy(self.logits(ids), targets) for ids, targets in given]


class Runtime(Inference):
    """A program that runs what minidl exports to ONNX; to draw symbols, it is given the last one drawn."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        super().__init__(workload)
        self.sampling, self.symbol, self.rng = workload.use == "sampling", 0, np.random.default_rng(0)
        shape = (workload.batch, workload.units)
        layers = range(workload.layers)
        self.states = {f"lstm_{k}/{name}": np.zeros(shape, np.float32) for k in layers for name in ("h", "c")}
        with TemporaryDirectory() as folder:
            from minidl.exchange.onnx import write_onnx

            path = Path(folder, "model.onnx")
            write_onnx(model(workload, weights), path)
            self.load(path)

    @abstractmethod
    def load(self, path: Path) -> None:
        """Make the file ready to run."""

    @abstractmethod
    def results(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Its outputs by name."""

    def logits(self, ids: Array) -> Array:
        """Of a window, from the states that the one before has left."""
        found = self.results({"ids": ids, **self.states})
        self.states = {name: found[f"{name}_last"] for name in self.states}
        return found["logits"]

    def step(self) -> float:
        """One window, or one symbol drawn."""
        if not self.sampling:
            return super().step()
        logits = self.logits(np.array([[self.symbol]]))[0, 0]
        sums = np.cumsum(np.exp(logits - logits.max()))
        self.symbol = int(np.searchsorted(sums, self.rng.random() * sums[-1]))
        return self.symbol


def cross_entropy(logits: Array, targets: Array) -> float:
    """The mean over all symbols."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=-1)) - chosen))
