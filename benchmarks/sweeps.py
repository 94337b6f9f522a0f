"""`python -m benchmarks.sweeps`: how many trials a second are asked for and told by workers, on storages of sweeps.

A trial here is no training: two values are drawn, and a loss is told. The processor's time of workers is told as well,
for where a machine is busy with other things its clock says little. PostgreSQL is that of the system's packages.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from contextlib import ExitStack
from typing import Any, NamedTuple

from optuna.trial import Trial, TrialState

from benchmarks.report import table
from benchmarks.storages import STORAGES
from minidl.experiment.sweep import Search
from minidl.experiment.sweep.database import Database
from minidl.experiment.sweep.ranges import read_space

SPACE = read_space(["lr=log(1e-4, 1)", "units=int(1, 1000)"])


class Rate(NamedTuple):
    """Trials a second, and milliseconds of the workers' processor time for each."""

    trials: float
    processor: float


def work(url: str, kind: Any, alone: bool, trials: int, ready: Any, seconds: Any) -> None:
    """One worker: trials are asked for and told until there are so many."""
    with Database(url, "benchmark", Search(SPACE, kind=kind, prunes="none")) as study:
        ready.wait()
        begun = time.process_time()
        (optuna_alone if alone else minidl_and_optuna)(study, trials)
        seconds.put(time.process_time() - begun)


def minidl_and_optuna(study: Database, trials: int) -> None:
    """As `minidl sweep` does it."""
    while (trial := study.ask(trials, draw)) is not None:
        if not study.reuse(trial):
            study.tell(trial, TrialState.COMPLETE, trial.params["lr"])


def optuna_alone(study: Database, trials: int) -> None:
    """What Optuna takes by itself: no look at other trials, no sign of life."""
    bare = study._study
    while (trial := bare.ask()).number < trials:
        draw(trial)
        bare.tell(trial, trial.params["lr"])


def draw(trial: Trial) -> None:
    """The values of a trial."""
    for key, drawn in SPACE.ranges.items():
        drawn.draw(trial, key)


def measure(url: str, kind: str, workers: int, trials: int, *, alone: bool = False) -> Rate:
    """So many workers on a storage."""
    context = multiprocessing.get_context("fork")
    ready, seconds = context.Barrier(workers + 1), context.Queue()
    everybody = [context.Process(target=work, args=(url, kind, alone, trials, ready, seconds)) for _ in range(workers)]
    for worker in everybody:
        worker.start()
    ready.wait()
    begun = time.perf_counter()
    used = sum(seconds.get() for _ in everybody)
    taken = time.perf_counter() - begun
    for worker in everybody:
        worker.join()
    return Rate(trials / taken, 1e3 * used / trials)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweeps", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--storages", default=",".join(STORAGES), metavar=",".join(STORAGES))
    parser.add_argument("--samplers", default="random,tpe", metavar="random,tpe")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--trials", type=int, default=1000)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.storages.split(","):
        for kind in arguments.samplers.split(","):
            row = [name, kind]
            for alone in (False, True):
                with ExitStack() as stack:
                    url = stack.enter_context(STORAGES[name]())
                    rate = measure(url, kind, arguments.workers, arguments.trials, alone=alone)
                row += [f"{rate.trials:.0f}", f"{rate.processor:.1f}"]
            rows.append(row)
    columns = ["trials a second", "processor's ms a trial", "Optuna alone: trials a second", "processor's ms a trial"]
    print(table(["storage", "sampler", *columns], rows))


if __name__ == "__main__":
    main()
