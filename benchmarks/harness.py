"""Runs contestants side by side: a process each, a slice of time each in turn, so that a busy moment hits all alike."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from types import TracebackType
from typing import Any, NamedTuple

from benchmarks import agreement
from benchmarks.contestants import GEMM, Contestant
from benchmarks.environment import environment
from benchmarks.start import write_weights
from benchmarks.workloads import Workload

ROOT = Path(__file__).parents[1]
SLICE = 0.2  # seconds: long against a switch of processes, short against changes in the machine's load
ROUNDS = 5  # at least


class Slice(NamedTuple):
    """Seconds a step in one slice: by the clock, and of processor time."""

    clock: float
    processor: float


@dataclass(frozen=True)
class Result:
    """What was measured of one contestant; memory in megabytes at the peak."""

    contestant: Contestant
    memory: float
    slices: list[Slice]

    @property
    def seconds(self) -> float:
        """A step by the clock, the median over the slices."""
        return median(piece.clock for piece in self.slices)

    @property
    def processor(self) -> float:
        """A step's processor time, the median over the slices."""
        return median(piece.processor for piece in self.slices)

    @property
    def spread(self) -> float:
        """The middle half of the slices, as a share of the median."""
        low, _, high = quantiles((piece.clock for piece in self.slices), n=4)
        return (high - low) / self.seconds

    def slower_than(self, other: Result) -> float:
        """How many times the other is as fast: the median of the ratios of neighbouring slices."""
        return median(mine.clock / theirs.clock for mine, theirs in zip(self.slices, other.slices, strict=True))


@dataclass(frozen=True)
class Measurement:
    """All results on one workload; difference is the largest between the losses, relative."""

    workload: Workload
    threads: int
    difference: float
    results: list[Result]


class PeerFailed(Exception):
    """A contestant that could not do the work."""


class Process:
    """A contestant in a process of its own, which stands still unless it has been asked for something.

    Threads of a BLAS or of OpenMP that wait for work would else take a core from the next one, for a tenth of a second.
    """

    def __init__(self, contestant: Contestant, threads: int) -> None:
        self.contestant = contestant
        command = [sys.executable, "-m", "benchmarks.worker", contestant.peer, contestant.setting, str(threads)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(contestant.peer, threads, contestant.setting),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def send(self, request: str, **arguments: Any) -> None:
        """Ask for something."""
        assert self.process.stdin is not None
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps([request, arguments]) + "\n")
        except BrokenPipeError:
            raise PeerFailed(f"{self.contestant} has ended: {self.process.wait()}") from None

    def receive(self) -> Any:
        """The answer to the oldest request that is still open."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"its process ended: {self.process.wait()}"}
        self.process.send_signal(signal.SIGSTOP)
        if "error" in answer:
            raise PeerFailed(f"{self.contestant}: {answer['error']}")
        return answer["answer"]

    def ask(self, request: str, **arguments: Any) -> Any:
        """The answer to a request."""
        self.send(request, **arguments)
        return self.receive()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()


def measure(
    workload: Workload, threads: int, contestants: Sequence[Contestant], seconds: float, notebook: Path | None = None
) -> Measurement:
    """Start everybody from the same weights, check that they agree, and time them in turn for `seconds` each.

    Raises Disagreement where two peers compute different losses, PeerFailed where one can't do the work.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        weights = Path(folder, "weights.npz")
        write_weights(workload, weights)
        processes = {who: stack.enter_context(Process(who, threads)) for who in contestants}
        path = None if notebook is None else str(notebook.resolve())
        start(list(processes.values()), workload=asdict(workload), weights=str(weights), notebook=path)
        peers = {who: process for who, process in processes.items() if who.peer != GEMM}
        losses = {who: process.ask("losses", steps=agreement.STEPS) for who, process in peers.items()}
        difference = agreement.check(losses)
        slices = interleave(processes, seconds)
        memory = {who: process.ask("memory") for who, process in processes.items()}
    results = [Result(who, memory[who], slices[who]) for who in contestants]
    return Measurement(workload, threads, difference, results)


def start(processes: Sequence[Process], **arguments: Any) -> None:
    """Let everybody build the model; minidl when nobody else is busy, since it measures then how many threads help."""
    ours = [process for process in processes if process.contestant.peer.startswith("minidl")]
    others = [process for process in processes if process not in ours]
    for process in others:
        process.send("start", **arguments)
    for process in others:
        process.receive()
    for process in ours:
        process.ask("start", **arguments)


def interleave(processes: Mapping[Contestant, Process], seconds: float) -> dict[Contestant, list[Slice]]:
    """Slices of each process in turn, over and over."""
    steps = {who: steps_in_a_slice(process) for who, process in processes.items()}
    slices: dict[Contestant, list[Slice]] = {who: [] for who in processes}
    for _ in range(max(ROUNDS, round(seconds / SLICE))):
        for who, process in processes.items():
            slices[who].append(Slice(*process.ask("run", steps=steps[who])))
    return slices


def steps_in_a_slice(process: Process) -> int:
    """How many steps fill a slice; they also warm up whatever compiles or tunes itself."""
    steps = 1
    while True:
        taken = steps * Slice(*process.ask("run", steps=steps)).clock
        if taken > SLICE / 4:
            return max(1, round(steps * SLICE / taken))
        steps *= 4
