"""`python -m benchmarks.profile W3`: where a training step of minidl spends its time, phase by phase."""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

from benchmarks.environment import environment, hold_to_cores
from benchmarks.workloads import WORKLOADS, Workload

if TYPE_CHECKING:
    from minidl import Model

Times = defaultdict[str, float]


def timed(times: Times, phase: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Make a call, and add its seconds to those of its phase."""
    begin = time.perf_counter()
    answer = call(*arguments)
    times[phase] += time.perf_counter() - begin
    return answer


def instrument(model: Model, times: Times) -> None:
    """Time each node's forward and backward calls, which exist once a step has been made."""
    executor = model.executor
    for direction, programs in (("forward", executor._forwards), ("backward", executor._backwards)):
        for program in programs.values():
            calls = [(name, partial(timed, times, f"{direction} {name}", call)) for name, call in program.calls]
            program.calls[:] = calls


def profile(workload: Workload, seconds: float) -> dict[str, float]:
    """Milliseconds a step by phase; "rest" is checks of the input, carried state, and Python between the phases."""
    from benchmarks.start import batches, model
    from minidl.optim import Adam

    trained, times, steps = model(workload), Times(float), 0
    optimizer = Adam(lr=workload.lr, clip_value=workload.clip_value)
    feeds = cycle([{"ids": ids, "targets": targets} for ids, targets in batches(workload)])
    trained.forward(**next(feeds))
    trained.backward()
    instrument(trained, times)
    begin = time.perf_counter()
    while (total := time.perf_counter() - begin) < seconds or not steps:
        trained.forward(**next(feeds))
        trained.backward()
        timed(times, "optimizer", optimizer.step, trained)
        steps += 1
    phases = {**times, "rest": total - sum(times.values())}
    return {phase: spent / steps * 1000 for phase, spent in phases.items()}


def main() -> None:
    """Print the phases of a step as a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    trained = [name for name, workload in WORKLOADS.items() if workload.use == "training"]
    parser.add_argument("workload", choices=trained)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kernels", choices=["numpy", "c"], default="numpy")
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    os.environ.update(environment(f"minidl-{arguments.kernels}", arguments.threads))  # before NumPy is imported
    hold_to_cores(arguments.threads)
    phases = profile(WORKLOADS[arguments.workload], arguments.seconds)
    from benchmarks.report import table

    total = sum(phases.values())
    rows = [[phase, f"{spent:.3f}", f"{spent / total:.1%}"] for phase, spent in phases.items()]
    print(table(["phase", "ms a step", "share"], [*rows, ["step", f"{total:.3f}", "100.0%"]]))


if __name__ == "__main__":
    main()
