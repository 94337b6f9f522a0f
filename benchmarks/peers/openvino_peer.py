"""OpenVINO on a processor, in float32."""

from __future__ import annotations

import os
from pathlib import Path

import openvino  # type: ignore[import-not-found]

from benchmarks.peers.inference import Array, Runtime
from benchmarks.peers.peer import Peer
from benchmarks.start import Weights
from benchmarks.workloads import Workload


class OpenVino(Runtime):
    """Set up for the least time of a call, with as many threads as there are cores for it."""

    def load(self, path: Path) -> None:
        """A compiled model, and what asks it."""
        core = openvino.Core()
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
        }
        self.request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()

    def results(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Of one call."""
        ended = self.request.infer(feeds, share_inputs=True, share_outputs=False)
        return {name: array for end, array in ended.items() for name in end.get_names()}


def peer(workload: Workload, weights: Weights, _setting: str) -> Peer:
    """What does this work."""
    return OpenVino(workload, weights)
