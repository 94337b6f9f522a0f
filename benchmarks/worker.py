"""The process in which one contestant lives: requests come in on stdin, answers go out on stdout, a JSON line each."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.environment import hold_to_cores
from benchmarks.memory import peak_memory
from benchmarks.peers.peer import Peer
from benchmarks.workloads import Workload


class Worker:
    """A contestant that answers requests."""

    def __init__(self, name: str, setting: str) -> None:
        self.name, self.setting = name, setting
        self.peer: Peer

    def start(self, workload: dict[str, Any], weights: str, notebook: str | None) -> None:
        """Import the library and build the model."""
        self.peer = build(self.name, self.setting, Workload(**workload), weights, notebook)

    def losses(self, steps: int) -> list[float]:
        """The losses of the next steps."""
        return self.peer.losses(steps)

    def run(self, steps: int) -> tuple[float, float]:
        """Seconds a step by the clock, and of processor time; one step before them brings caches and threads back."""
        self.peer.run(1)
        clock, processor = time.perf_counter(), time.process_time()
        self.peer.run(steps)
        return (time.perf_counter() - clock) / steps, (time.process_time() - processor) / steps

    def memory(self) -> float:
        """Megabytes at the peak."""
        return peak_memory()


def build(name: str, setting: str, workload: Workload, weights: str, notebook: str | None) -> Peer:
    """A contestant ready to work. Each library is imported here only, so that a process holds one of them."""
    if name == "gemm":
        from benchmarks.gemm import Products

        return Products(workload)
    from benchmarks.start import read_weights

    module = import_module(f"benchmarks.peers.{'minidl' if name.startswith('minidl') else name}_peer")
    peer: Peer = module.peer(workload, read_weights(weights), notebook if name == "notebook" else setting)
    return peer


def main(name: str, setting: str, threads: str) -> None:
    """Answer requests until stdin ends; an error is an answer too, and its traceback goes to stderr."""
    hold_to_cores(int(threads))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints belongs among the messages
    worker = Worker(name, setting)
    requests: dict[str, Callable[..., Any]] = {
        "start": worker.start,
        "losses": worker.losses,
        "run": worker.run,
        "memory": worker.memory,
    }
    for line in sys.stdin:
        request, arguments = json.loads(line)
        try:
            answer = {"answer": requests[request](**arguments)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
