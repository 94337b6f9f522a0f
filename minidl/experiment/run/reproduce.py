"""Whether an experiment comes to what its file expects: trained anew with each of its seeds."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from minidl.callbacks import ShowProgress
from minidl.experiment.build.expect import Expect
from minidl.experiment.build.read_experiment import read_experiment
from minidl.experiment.run.session import train
from minidl.experiment.yaml.document import load
from minidl.storage.run_folder import RunFolder
from minidl.system.errors import ExperimentError, NumericsError


@dataclass(frozen=True)
class Measured:
    """One measure: what is expected and how far off it may be, and what each seed came to."""

    tag: str
    expected: float
    tolerance: float
    found: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.fmean(self.found)

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds; 0 for one."""
        return statistics.stdev(self.found) if len(self.found) > 1 else 0.0

    @property
    def holds(self) -> bool:
        """Whether the mean is as near as it may be."""
        return math.isfinite(self.mean) and abs(self.mean - self.expected) <= self.tolerance


@dataclass(frozen=True)
class Reproduction:
    """An experiment that was trained anew."""

    experiment: Path
    expect: Expect
    measures: tuple[Measured, ...]
    runs: tuple[Path, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every measure does."""
        return all(measure.holds for measure in self.measures)


def reproduce(path: Path, runs: Path, changes: Sequence[str] = ()) -> Reproduction:
    """Train an experiment with each seed that it expects something of; seconds: of the longest run."""
    expect = read_experiment(path, list(changes)).expect
    if not expect.measures:
        raise ExperimentError(
            f"{path}: says nothing that could be reproduced; add what it comes to, as in "
            "expect: {measures: {test/loss: [1.2, 0.03]}}"
        )
    trained = [_train(path, runs, [*changes, f"seed={seed}"]) for seed in expect.seeds]
    records = [_last_values(folder) for folder in trained]
    measures = tuple(
        Measured(tag, expected, tolerance, tuple(_value(record, tag, path) for record in records))
        for tag, (expected, tolerance) in expect.measures.items()
    )
    return Reproduction(path, expect, measures, tuple(trained), max(record.get("seconds", 0.0) for record in records))


def expecting(folder: Path) -> Iterator[Path]:
    """The experiments of a folder that say what they come to."""
    for path in sorted(folder.glob("*.yaml")):
        if load(path).tree.get("expect"):
            yield path


def _train(path: Path, runs: Path, changes: list[str]) -> Path:
    experiment = read_experiment(path, changes)
    title = f"{experiment.name}, seed {experiment.seed}"
    outcome = train(experiment, path, runs, watchers=lambda _: [ShowProgress(title=title, with_texts=False)])
    if outcome.exit_code or outcome.state != "done":
        raise NumericsError(f"{outcome.run}: ended as {outcome.state}, so that nothing can be said")
    return outcome.run


def _last_values(folder: Path) -> dict[str, float]:
    """The last value of every tag."""
    lines = (RunFolder(folder).path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return {tag: value for line in lines for tag, value in json.loads(line).items()}


def _value(record: dict[str, float], tag: str, path: Path) -> float:
    value = record.get(tag)
    if not isinstance(value, (int, float)):
        known = ", ".join(name for name in record if "/" in name)
        raise ExperimentError(f"{path}: expect names {tag!r}, which the run does not measure (it measures: {known})")
    return float(value)
