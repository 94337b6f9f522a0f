"""From an experiment to a trainer with all its callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from minidl.callbacks import (
    Baselines,
    Callback,
    EarlyStop,
    Evaluate,
    LayerMetrics,
    OwnFolder,
    ReachMetrics,
    RunLog,
    Sample,
    SaveCheckpoints,
    ShowProgress,
    TensorBoard,
    TrainMetrics,
)
from minidl.experiment.build.experiment import Experiment
from minidl.experiment.run.computing import in_use
from minidl.experiment.run.overview import title
from minidl.experiment.run.user_code import hashes
from minidl.storage.checkpoint_folder import CheckpointFolder
from minidl.storage.run_folder import RunFolder
from minidl.system.processes import processes
from minidl.training.parallel_trainer import ParallelTrainer
from minidl.training.trainer import Trainer

Watchers = Callable[[RunFolder], Iterable[Callback]]  # of the run in a folder: they show it, or may end it


def make_trainer(experiment: Experiment, callbacks: Iterable[Callback]) -> Trainer:
    """What trains the model of an experiment."""
    train = experiment.train
    several = partial(ParallelTrainer, processes(), average_every=experiment.processes.average_every)
    kind = several if in_use().in_shares else Trainer
    return kind(
        experiment.model,
        experiment.dataset,
        experiment.optimizer,
        epochs=train.epochs,
        steps=train.steps,
        minutes=train.minutes,
        state=train.state,
        accumulate=train.accumulate,
        average_weights=train.average_weights,
        non_finite=train.non_finite,
        callbacks=callbacks,
    )


def measuring(experiment: Experiment, checkpoints: CheckpointFolder | None = None) -> Iterator[Callback]:
    """The callbacks by which a run is measured, and may be ended; checkpoints: where its best weights lie."""
    train, log = experiment.train, experiment.log
    yield TrainMetrics(log.every)
    yield LayerMetrics(log.every)
    if train.evaluate_every is not None:
        yield Evaluate(train.evaluate_every, checkpoints=checkpoints)
    if train.early_stop is not None:
        yield EarlyStop(patience=train.early_stop.patience, min_delta=train.early_stop.min_delta)


def showing(*, as_json: bool = False) -> Watchers:
    """What shows a run to its user."""
    return lambda folder: [ShowProgress(as_json=as_json, title=title(folder))]


def recording(experiment: Experiment, folder: RunFolder, *, resumed_at: int | None = None) -> Iterator[Callback]:
    """The callbacks that keep everything of a run in its folder."""
    train, log, sample = experiment.train, experiment.log, experiment.sample
    yield OwnFolder(check=folder.check)
    if train.evaluate_every is not None:
        yield Baselines()
    if train.sample_every is not None and experiment.dataset.unit != "step":
        yield Sample(train.sample_every, length=sample.length, temperatures=sample.temperatures, prime=sample.prime)
    if log.tensorboard and log.histograms_every is not None:
        yield ReachMetrics(log.histograms_every)
    yield RunLog(folder=folder.path)
    if log.tensorboard:
        yield TensorBoard(
            folder=folder.path,
            experiment=experiment.resolved(),
            histograms_every=log.histograms_every,
            resumed_at=resumed_at,
        )
    facts = {
        "experiment": experiment.resolved(),
        "metadata": experiment.dataset.metadata,
        "computing": in_use().to_json(),
        "code": hashes(experiment),
    }
    yield SaveCheckpoints(train.checkpoint_every, checkpoints=folder.checkpoints, facts=facts)
