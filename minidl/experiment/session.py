"""A session: an experiment trained in a run folder, from its start or from a checkpoint, with signals in mind."""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.archive import Archive
from minidl.callbacks import (
    Callback,
    EarlyStop,
    Evaluate,
    RunLog,
    Sample,
    SaveCheckpoints,
    ShowProgress,
    TensorBoard,
    TrainMetrics,
)
from minidl.checkpoint import restore
from minidl.errors import CheckpointError
from minidl.experiment.document import dump
from minidl.experiment.experiment import Experiment
from minidl.run_folder import RunFolder, surroundings
from minidl.trainer import Trainer

logger = logging.getLogger("minidl")
SIGNALS = {signal.SIGINT: ("interrupted", 130), signal.SIGTERM: ("terminated", 143)}
FREE_TO_CHANGE = ("train", "log", "sample", "name")  # sections that a resumed run may have otherwise


@dataclass(frozen=True)
class Outcome:
    """How a session ended: where the run lies, its state, and the exit code that goes with it."""

    run: Path
    state: str
    exit_code: int


def train(experiment: Experiment, source: Path, runs: Path, *, as_json: bool = False) -> Outcome:
    """Train from the start, in a new run folder."""
    folder = RunFolder.create(runs, experiment.name)
    folder.write("experiment.yaml", source.read_text(encoding="utf-8", errors="surrogateescape"))
    folder.write("resolved.yaml", dump(experiment.resolved()))
    folder.describe({**surroundings(), "seed": experiment.seed, "data_sha256": experiment.dataset.digest})
    if experiment.builder is not None:
        (folder.path / "models").mkdir()
        shutil.copy(experiment.builder, folder.path / "models")
    return _run(experiment, folder, _trainer(experiment, folder, as_json))


def resume(experiment: Experiment, runs: Path, number: int | None, *, as_json: bool = False) -> Outcome:
    """Go on with a run from its newest good checkpoint."""
    folder = RunFolder.find(runs, experiment.name, number)
    folder.lock()
    path, archive = folder.checkpoints.newest()
    _check_unchanged(experiment, archive, path)
    trainer = _trainer(experiment, folder, as_json, resumed_at=archive.meta["progress"]["step"])
    restore(trainer, archive, str(path))
    if trainer.at_end or archive.meta["progress"].get("done"):
        logger.warning("%s is finished (step %d): raise train.epochs to go on", folder.path, trainer.progress.step)
        return Outcome(folder.path, "done", 0)
    logger.info("going on from %s", path)
    return _run(experiment, folder, trainer)


def _trainer(experiment: Experiment, folder: RunFolder, as_json: bool, resumed_at: int | None = None) -> Trainer:
    train = experiment.train
    return Trainer(
        experiment.model,
        experiment.dataset,
        experiment.optimizer,
        epochs=train.epochs,
        steps=train.steps,
        minutes=train.minutes,
        state=train.state,
        non_finite=train.non_finite,
        callbacks=_callbacks(experiment, folder, as_json, resumed_at),
    )


def _callbacks(experiment: Experiment, folder: RunFolder, as_json: bool, resumed_at: int | None) -> Iterator[Callback]:
    train, log, sample = experiment.train, experiment.log, experiment.sample
    yield TrainMetrics(log.every)
    if train.evaluate_every is not None:
        yield Evaluate(train.evaluate_every)
    if train.early_stop is not None:
        yield EarlyStop(patience=train.early_stop.patience, min_delta=train.early_stop.min_delta)
    if train.sample_every is not None and experiment.model.vocabulary is not None:
        yield Sample(train.sample_every, length=sample.length, temperatures=sample.temperatures, prime=sample.prime)
    yield RunLog(folder=folder.path)
    if log.tensorboard:
        yield TensorBoard(
            folder=folder.path,
            hyperparameters=flat(experiment.resolved()),
            histograms_every=log.histograms_every,
            resumed_at=resumed_at,
        )
    yield ShowProgress(as_json=as_json)
    facts = {"experiment": experiment.resolved()}
    yield SaveCheckpoints(train.checkpoint_every, checkpoints=folder.checkpoints, facts=facts)


def _run(experiment: Experiment, folder: RunFolder, trainer: Trainer) -> Outcome:
    folder.describe({"state": "running"})
    state, code = "failed", 1
    try:
        with _stopping(trainer):
            trainer.run()
        state, code = {name: (name, code) for name, code in SIGNALS.values()}.get(
            trainer.stop_reason or "", ("done", 0)
        )
    finally:
        with contextlib.suppress(OSError):
            folder.describe({"state": state, "step": trainer.progress.step, "best": trainer.progress.best})
    return Outcome(folder.path, state, code)


@contextlib.contextmanager
def _stopping(trainer: Trainer) -> Iterator[None]:
    """A first signal ends the run after the present step, with a checkpoint; a second one ends it now."""

    def on_signal(number: int, _frame: Any) -> None:
        reason, _ = SIGNALS[signal.Signals(number)]
        if trainer.stop_reason is not None:
            raise KeyboardInterrupt
        logger.warning("%s: finishing this step and saving (again to leave at once)", reason)
        trainer.stop(reason)

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_unchanged(experiment: Experiment, archive: Archive, path: Path) -> None:
    """A run goes on as it was begun; only what does not touch the mathematics of a step may differ."""
    begun, now = flat(archive.meta.get("experiment", {})), flat(experiment.resolved())
    differences = [
        f"  {name}: {begun.get(name, 'not set')} when the run was begun, now {now.get(name, 'not set')}"
        for name in sorted({*begun, *now})
        if begun.get(name) != now.get(name) and name.split(".")[0] not in FREE_TO_CHANGE
    ]
    if begun.get("train.state") != now.get("train.state"):
        differences.append(
            f"  train.state: {begun.get('train.state')} when the run was begun, now {now['train.state']}"
        )
    if differences:
        raise CheckpointError(
            f"{path}: the experiment has changed since this run was begun:\n" + "\n".join(differences) + "\n"
            "Change it back to resume, or start a new run without --resume."
        )


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Nested data as dotted names.

    >>> flat({"a": {"b": 1}, "c": [2, 3]})
    {'a.b': 1, 'c.0': 2, 'c.1': 3}
    """
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else None
    if pairs is None:
        return {prefix: tree}
    return {key: value for name, item in pairs for key, value in flat(item, f"{prefix}.{name}".lstrip(".")).items()}
