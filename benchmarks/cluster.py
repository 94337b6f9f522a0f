"""`python -m benchmarks.cluster`: one run on several processes, as measured here and as expected of up to 1,000 nodes.

First the same batch by 1, 2 and 4 processes of one thread and by one process of two threads, a slice each in turn: how
much faster they are, and whether computing and messages, each measured alone, add up to a step of all of them. Then
nodes that each compute as many streams as the whole batch has here, in a network of this latency and bandwidth:

    t(R) = computing + 2 α log2 R + sent(R) / β

minidl has at most 8 processes in a run, which send their gradients to all others, R - 1 times n bytes; beyond that it
is what halves of halves would send (Rabenseifner 2004), 2 n (R - 1) / R.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from math import log2
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.__main__ import names
from benchmarks.report import table
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).parents[1]
ALONE = "1 process"
# Processes, and the threads of each.
JOBS = {
    ALONE: (1, 1),
    "2 processes": (2, 1),
    "4 processes": (4, 1),
    "1 process, 2 threads": (1, 2),
}
NODES = (1, 2, 4, 8, 16, 32, 100, 1000)
SLICE = 0.3  # seconds
Part = dict[str, float]


class Job:
    """The processes of one run, which stand still unless they have been asked for something."""

    def __init__(self, workload: str, processes: int, threads: int) -> None:
        launcher = [str(shutil.which("mpiexec")), "-n", str(processes)] if processes > 1 else []
        command = [*launcher, sys.executable, "-m", "benchmarks.cluster_process", workload, str(threads)]
        pipe, environment = subprocess.PIPE, {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True, bufsize=1
        )
        self._members: list[int] = []  # MPICH starts each in a group of its own, and who waits in MPI takes a processor
        alone = self.measure(1)["train"]
        self._steps = max(1, round(SLICE / alone))

    def measure(self, steps: int | None = None) -> Part:
        """Seconds a step of each part, in one slice."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._send(signal.SIGCONT)
        self._process.stdin.write(f"{steps or self._steps}\n")
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        self._members = answer.pop("members")
        self._send(signal.SIGSTOP)
        return answer

    def end(self) -> None:
        """Kill them."""
        self._send(signal.SIGKILL)
        self._process.communicate()

    def _send(self, number: int) -> None:
        for member in self._members:
            os.kill(member, number)


def measure(workload: str, rounds: int) -> dict[str, list[Part]]:
    """Slices of each job in turn."""
    with ExitStack() as stack:
        jobs: dict[str, Job] = {}
        for name, sizes in JOBS.items():
            jobs[name] = Job(workload, *sizes)
            stack.callback(jobs[name].end)
        found: dict[str, list[Part]] = {name: [] for name in jobs}
        for _ in range(rounds):
            for name, job in jobs.items():
                found[name].append(job.measure())
    return found


def measured_table(found: dict[str, list[Part]]) -> str:
    """Milliseconds a step of each job, in its parts and as a whole, and how many times as fast it is as one process."""
    rows = []
    for name, slices in found.items():
        compute, send, train = (median(part[what] for part in slices) for what in ("compute", "send", "train"))
        apart = median((part["compute"] + part["send"]) / part["train"] for part in slices)
        busy, alone = (median(part["busy"] for part in these) for these in (slices, found[ALONE]))
        faster = median(one["train"] / part["train"] for one, part in zip(found[ALONE], slices, strict=True))
        rows.append([name, *(f"{1e3 * t:.2f}" for t in (compute, send, compute + send, train))])
        rows[-1] += [f"{apart - 1:+.0%}", f"{faster:.2f}", f"{1e3 * busy:.2f}", f"{alone / busy:.2f}"]
    columns = ["computing", "messages", "sum", "step", "sum against step", "times as fast"]
    return table(["", *columns, "a processor's time for computing", "times less"], rows)


def step_seconds(nodes: int, compute: float, size: float, latency: float, bandwidth: float) -> float:
    """t(R), the seconds of a step of so many nodes.

    compute: seconds of each. size: bytes of a gradient. latency: α, seconds. bandwidth: β, bytes a second.

    >>> [round(step_seconds(nodes, 0.013, 430e3, 40e-6, 1.2e9), 5) for nodes in (1, 2, 1000)]
    [0.013, 0.01344, 0.01451]
    """
    sent = size * (nodes - 1) if nodes <= 8 else 2 * size * (nodes - 1) / nodes
    return compute + 2 * latency * log2(nodes) + sent / bandwidth


def nodes_table(workload: str, alone: list[Part], latency: float, bandwidth: float) -> str:
    """What is expected of each number of nodes."""
    compute, size = median(part["compute"] for part in alone), alone[0]["bytes"]
    rows = []
    for nodes in NODES:
        seconds = step_seconds(nodes, compute, size, latency, bandwidth)
        tokens = WORKLOADS[workload].tokens * nodes
        rows.append([str(nodes), f"{1e3 * seconds:.2f}", f"{compute / seconds:.0%}", f"{tokens:,}"])
        rows[-1].append(f"{tokens / seconds:,.0f}")
    return table(["nodes", "ms a step", "efficiency", "tokens a step", "tokens a second"], rows)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=str(__doc__).partition("\n")[0])
    known = ["W3", "W4", "W5"]
    parser.add_argument("--workloads", type=lambda text: names(known, text), default=known, metavar=",".join(known))
    parser.add_argument("--rounds", type=int, default=20, help="slices of each (default: 20)")
    parser.add_argument("--latency", type=float, default=40e-6, help="of the network, seconds (default: 40e-6)")
    parser.add_argument("--bandwidth", type=float, default=1.2e9, help="bytes a second (default: 1.2e9, 10 GbE)")
    arguments = parser.parse_args()
    if shutil.which("mpiexec") is None:
        sys.exit("several processes need mpiexec: pip install 'minidl[cluster]'")
    for name in arguments.workloads:
        found = measure(name, arguments.rounds)
        print(f"{name}, {WORKLOADS[name].about}, milliseconds:\n\n{measured_table(found)}\n")
        print(nodes_table(name, found[ALONE], arguments.latency, arguments.bandwidth), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
