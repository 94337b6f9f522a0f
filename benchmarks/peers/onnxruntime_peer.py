"""ONNX Runtime on a processor."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime  # type: ignore[import-untyped]

from benchmarks.peers.inference import Array, Runtime
from benchmarks.peers.peer import Peer
from benchmarks.start import Weights
from benchmarks.workloads import Workload


class OnnxRuntime(Runtime):
    """As many threads as there are cores for it, which do not spin while others work."""

    def load(self, path: Path) -> None:
        """A session."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = len(os.sched_getaffinity(0)), 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = [item.name for item in self.session.get_outputs()]

    def results(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Of one call."""
        return dict(zip(self.names, self.session.run(self.names, feeds), strict=True))


def peer(workload: Workload, weights: Weights, _setting: str) -> Peer:
    """What does this work."""
    return OnnxRuntime(workload, weights)
