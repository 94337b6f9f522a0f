"""One of the processes of `python -m benchmarks.cluster`: slices of steps, each split into computing and messages.

Process 0 reads how many steps on stdin and answers a JSON line: seconds a step of computing alone, of sending
gradients alone, and of training by all processes; in each the slowest process counts. Busy is what computing takes of a
processor in the first thread of each, which is the same however many others use the machine.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.start import batches, model
from benchmarks.workloads import WORKLOADS, Workload
from minidl.data.batches import Batch, Batches, Dataset
from minidl.engine import threads
from minidl.optim import Adam
from minidl.system.processes import processes
from minidl.training.gradient import fill_gradient
from minidl.training.parallel_trainer import ParallelTrainer
from minidl.training.trainer import Trainer


class Windows(Batches):
    """The batches of a workload."""

    def __init__(self, workload: Workload) -> None:
        self._batches = [Batch({"ids": x, "targets": y}, reset_state=False) for x, y in batches(workload)]
        self.steps_per_epoch, self.tokens_per_step = len(self._batches), workload.tokens

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        return self._batches[step % len(self._batches)]


class Work:
    """What one process does in a step, as a whole and in its parts."""

    def __init__(self, workload: Workload) -> None:
        self.together = processes()
        trained, optimizer = model(workload), Adam(lr=workload.lr, clip_value=workload.clip_value)
        data = Dataset(Windows(workload), None, None, {}, {}, None, "", "char")
        given: Any = (trained, data, optimizer)
        self._many = ParallelTrainer(self.together, *given, steps=10**9) if self.together.size > 1 else None
        self._trainer = self._many or Trainer(*given, steps=10**9)
        self._batch = data.train.batch(0)
        self._steps = itertools.count()

    @property
    def bytes(self) -> int:
        """Of a gradient."""
        return int(self._trainer.model.executor.gradient.nbytes)

    def compute(self) -> None:
        """The gradient of the own sequences, and a step of the optimizer."""
        if self._many is not None:
            self._many.shares.fill_gradient([self._batch], carry=True)
        else:
            fill_gradient(self._trainer.model, [self._batch], carry=True)
        self._trainer.optimizer.step(self._trainer.model, self._trainer.clock)

    def send(self) -> None:
        """A gradient to all, and their sum."""
        if self._many is not None:
            self._many.add_up(self._trainer.model.executor.gradient)

    def train(self) -> None:
        """A step of all processes."""
        self._trainer.update(self._trainer.data.train.batch(next(self._steps)))

    def seconds(self, part: Callable[[], None], steps: int, clock: Callable[[], float] = time.perf_counter) -> float:
        """By a clock, a step; in each step the slowest process counts, for the others will wait for it."""
        self.together.collect(None)  # all begin at once
        taken = []
        for _ in range(steps):
            begun = clock()
            part()
            taken.append(clock() - begun)
        return sum(map(max, zip(*self.together.collect(taken), strict=True))) / steps


def main(name: str, count: str) -> None:
    """Answer until stdin ends."""
    threads.use(int(count))
    work = Work(WORKLOADS[name])
    members = work.together.collect(os.getpid())
    for _ in range(3):
        work.train()
    while (steps := work.together.tell(next(sys.stdin, "") if work.together.is_first else None)).strip():
        parts = {part.__name__: work.seconds(part, int(steps)) for part in (work.compute, work.send, work.train)}
        parts["busy"] = work.seconds(work.compute, int(steps), time.thread_time)
        if work.together.is_first:
            print(json.dumps({**parts, "bytes": work.bytes, "members": members}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
