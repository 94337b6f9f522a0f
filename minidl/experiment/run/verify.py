"""Whether a run reproduces: trained once more from what its folder says, and compared to the bit."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from minidl.callbacks import Callback, ShowProgress
from minidl.data.sources.download import without_connections
from minidl.experiment.build.experiment import Experiment
from minidl.experiment.build.read_experiment import read_experiment
from minidl.experiment.run import user_code
from minidl.experiment.run.callbacks_of_run import make_trainer, measuring
from minidl.experiment.run.computing import set_up
from minidl.experiment.run.environment import changes_since
from minidl.experiment.run.load_model import check_stored
from minidl.experiment.run.session import computing_of
from minidl.storage.archive import Archive
from minidl.storage.run_folder import RunFolder
from minidl.training.callback import Run
from minidl.training.checkpoint import capture, check_data, reading, saved_progress
from minidl.training.progress import Progress


@dataclass(frozen=True)
class Verdict:
    """What came of it: the checkpoint, its step, how arrays differ by name, and what may be the reason."""

    checkpoint: Path
    step: int
    differing: dict[str, str]
    reasons: list[str]

    @property
    def reproduced(self) -> bool:
        """Whether every array is the same to the bit."""
        return not self.differing


@dataclass(eq=False)
class StopAt(Callback):
    """Stops at a step, as an interrupt would."""

    at: int = field(kw_only=True)

    order = Callback.DECIDE

    def start(self, trainer: Run) -> None:
        """Stop, if there is nothing to do."""
        self.step(trainer)

    def step(self, trainer: Run) -> None:
        """Stop, if the step is reached."""
        if trainer.progress.step >= self.at:
            trainer.stop("verified")


def verify(folder: RunFolder) -> Verdict:
    """Train a run again as far as its newest checkpoint; nothing is written."""
    path, archive = folder.checkpoints.newest(check_stored)
    with without_connections():
        experiment = read_experiment(folder.path / "resolved.yaml")
    with reading(str(path)):
        check_data(archive.meta, experiment.dataset.digest)
    progress = saved_progress(archive, str(path))
    set_up(experiment, computing_of(archive, folder))
    callbacks = [*measuring(experiment), ShowProgress(title="verifying"), StopAt(at=progress.step)]
    trainer = make_trainer(_untimed(experiment, progress), callbacks)
    trainer.run()
    reasons = _reasons(folder, experiment) + _changed_code(experiment, archive, folder)
    return Verdict(path, progress.step, _differing(trainer, archive), reasons)


def _changed_code(experiment: Experiment, archive: Archive, folder: RunFolder) -> list[str]:
    """Copies of the model's code that are not what the checkpoint was trained with."""
    return [f"{name}: {what}" for name, what in user_code.changes(experiment, archive, folder).items()]


def _untimed(experiment: Experiment, progress: Progress) -> Experiment:
    """The experiment with an end in steps, where its own is in minutes."""
    if experiment.train.minutes is None:
        return experiment
    steps = progress.step if progress.done else progress.step + 1
    train = dataclasses.replace(experiment.train, minutes=None, steps=max(1, steps))
    return dataclasses.replace(experiment, train=train)


def _reasons(folder: RunFolder, experiment: Experiment) -> list[str]:
    """What has changed since the run, and what has happened to it that its settings do not say."""
    reasons = [f"{name}: {what}" for name, what in changes_since(folder.facts).items()]
    for item in folder.facts.get("resumed", []):
        with contextlib.suppress(TypeError, KeyError, AttributeError):  # of a file that somebody has edited
            reasons += [f"{name}: {what}, from step {item['step']} on" for name, what in item["changed"].items()]
    if experiment.train.minutes is not None:
        reasons.append("train.minutes: the clock had a say in the run")
    return reasons


def _differing(trainer: Run, archive: Archive) -> dict[str, str]:
    arrays, _ = capture(trainer)
    differing = {}
    for name in sorted({*arrays, *archive.arrays}):
        ours, theirs = arrays.get(name), archive.arrays.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            differing[name] = "is of another shape, or missing"
        elif ours.tobytes() != theirs.tobytes():
            differing[name] = f"differs by up to {np.abs(ours - theirs).max():.1e}"
    return differing
