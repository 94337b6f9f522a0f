"""Runs cut off at random calls, a hundred times each, and compared to the byte: `python tests/long_resume.py`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from runs import count_calls, finish, interrupted_at, left, random_cuts, run, the_run, write_experiment
from test_resume import EXPERIMENTS, SEQUENCES, in_short, write_sequences

from minidl.engine import dispatch


@dataclass(frozen=True)
class Case:
    """An experiment, what its run is started with, and whether it has to be written first."""

    name: str
    arguments: tuple[str, ...]
    write: Callable[[Path], object] = lambda _: None
    steps: int = 6  # that the run takes

    def written(self, folder: Path) -> Path:
        folder.mkdir()
        self.write(folder)
        return folder


def write_with_sequences(folder: Path) -> None:
    write_sequences(folder)
    write_experiment(folder, name="sequences", **SEQUENCES)


def cases(cuts: int, cuts_of_shipped: int) -> Iterator[tuple[int, Case]]:
    """How often, and what."""
    yield cuts, Case("tiny", ("tiny.yaml",), write_experiment, 40)
    yield cuts, Case("sequences", ("tiny.yaml",), write_with_sequences)
    yield from ((cuts_of_shipped, Case(path.stem, in_short(path))) for path in EXPERIMENTS)


def differing(times: int, case: Case) -> tuple[int, int]:
    """How many of so many cut runs do not end as the one that nobody interrupts, and how often they were cut."""
    wrong = cut = 0
    with tempfile.TemporaryDirectory() as place:
        whole = case.written(Path(place) / "whole")
        run(whole, *case.arguments, "--runs", "warm")  # kernels that are compiled now are no calls of the run
        calls = count_calls(whole, *case.arguments)
        expected = left(the_run(whole, case.name))
        for seed in range(times):
            folder = case.written(Path(place) / str(seed))
            step, number = np.random.default_rng(seed).integers([1, 0], [case.steps, 2])
            first = interrupted_at(folder, step, (signal.SIGKILL, signal.SIGTERM)[number], *case.arguments).code
            codes = [first, *finish(folder, case.name, *case.arguments, cuts=random_cuts(seed, calls))]
            cut += len(codes) - codes.count(0)
            found = left(the_run(folder, case.name)).differences(expected)
            wrong += bool(found)
            if found:
                print(f"{case.name}, seed {seed}, exit codes {codes}: {found}", flush=True)
    return wrong, cut


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--shipped", type=int, default=5, help="runs of each shipped experiment")
    there = list(dispatch.kinds())
    parser.add_argument("--kernels", nargs="+", choices=there, default=there)
    given = parser.parse_args()
    failed = 0
    for kernels in given.kernels:
        os.environ["MINIDL_KERNELS"] = kernels
        for times, case in cases(given.cuts, given.shipped):
            wrong, cut = differing(times, case)
            print(
                f"{case.name}, {kernels} kernels: {times - wrong} of {times} runs, "
                f"cut {cut} times, end as if they had not been",
                flush=True,
            )
            failed += wrong
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
