"""A session: an experiment trained in a run folder, from its start or from a checkpoint."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.config.diff import differences
from minidl.experiment.build.experiment import Experiment
from minidl.experiment.run import user_code
from minidl.experiment.run.callbacks_of_run import Watchers, make_trainer, measuring, recording, showing
from minidl.experiment.run.computing import Computing, set_up
from minidl.experiment.run.environment import changes_since, surroundings
from minidl.experiment.run.load_model import check_stored
from minidl.experiment.run.stop_on_signal import EXIT_CODES, passing_on, stopping
from minidl.experiment.run.transfer import take_vectors, take_weights
from minidl.experiment.yaml.document import dump
from minidl.storage.archive import Archive
from minidl.storage.run_folder import RunFolder, list_runs
from minidl.system.errors import CheckpointError
from minidl.system.processes import processes
from minidl.training.checkpoint import check_data, reading, restore, saved_progress
from minidl.training.trainer import Trainer

logger = logging.getLogger("minidl")
# What a resumed run may have otherwise: sections, and what does not change its mathematics.
MATHEMATICS = ("train.state", "train.accumulate", "train.average_weights")
NOTHING_LEFT = "nothing left"  # what the processes of a finished run are told
FREE_TO_CHANGE = ("train", "log", "sample", "processes", "expect", "name", "kernels", "threads")


@dataclass(frozen=True)
class Outcome:
    """How a session ended: where the run lies, its state, the exit code that goes with it, the best validation loss."""

    run: Path
    state: str
    exit_code: int
    best: float | None


def train(
    experiment: Experiment,
    source: Path,
    runs: Path,
    *,
    watchers: Watchers | None = None,
    computing: Computing | None = None,
) -> Outcome:
    """Train from the start, in a new run folder. computing: of other runs that this one is to be compared with."""
    set_up(experiment, computing)
    _take_first_weights(experiment, runs)
    if not processes().is_first:
        return _follow(experiment)
    with RunFolder.create(runs, experiment.name) as folder:
        return _begin(experiment, source, folder, watchers)


def _take_first_weights(experiment: Experiment, runs: Path) -> None:
    """Give the model the weights of another run or file, where the run begins with them."""
    if experiment.init_from is not None:
        take_weights(experiment.model, experiment.init_from, runs)
        take_vectors(experiment.model, experiment.init_from.vectors)


def _begin(experiment: Experiment, source: Path, folder: RunFolder, watchers: Watchers | None) -> Outcome:
    """The first step of a run, and all others, in a folder that holds nothing of one."""
    with _telling(folder):
        facts = {"seed": experiment.seed, "data_sha256": experiment.dataset.digest}
        folder.describe({"state": "running", **surroundings(), **facts})
        folder.write("experiment.yaml", source.read_bytes().decode(errors="replace"))
        folder.write("resolved.yaml", dump(experiment.resolved()))
        user_code.keep(experiment, folder)
        watching = (watchers or showing())(folder)
        callbacks = [*measuring(experiment, folder.checkpoints), *recording(experiment, folder), *watching]
        trainer = make_trainer(experiment, callbacks)
        processes().tell((None, None))
        return _run(folder, trainer)


def resume(
    experiment: Experiment,
    source: Path,
    runs: Path,
    number: int | None,
    *,
    watchers: Watchers | None = None,
    accept_changes: bool = False,
) -> Outcome:
    """Go on with a run from its newest good checkpoint; begin it where there is none yet.

    accept_changes: of the code of the model, with which the run then goes on.
    """
    if not processes().is_first:
        set_up(experiment)
        return _follow(experiment, runs)
    if number is None and not list_runs(runs / experiment.name):
        logger.info("%s holds no run yet: there is nothing to resume, and the run begins", runs / experiment.name)
        return train(experiment, source, runs, watchers=watchers)
    with RunFolder.find(runs, experiment.name, number).lock() as folder:
        if not folder.checkpoints.files():
            logger.info("%s ended before its first checkpoint: it begins again", folder.path)
            set_up(experiment, Computing.from_json(folder.facts))
            _take_first_weights(experiment, runs)
            folder.clear()
            return _begin(experiment, source, folder, watchers)
        path, archive = folder.checkpoints.newest(check_stored)
        set_up(experiment, computing_of(archive, folder))
        changes = _changes(experiment, archive, path)
        code = user_code.check(experiment, archive, folder, accept_changes)
        progress = saved_progress(archive, str(path))
        recorded = recording(experiment, folder, resumed_at=progress.step)
        callbacks = [*measuring(experiment, folder.checkpoints), *recorded, *(watchers or showing())(folder)]
        trainer = make_trainer(experiment, callbacks)
        trainer.progress = progress
        if trainer.at_end or (progress.done and not any(name.startswith("train.") for name in changes)):
            return _nothing_left(folder, trainer)
        restore(trainer, archive, str(path))
        processes().tell((archive.arrays, archive.meta))
        logger.info("going on from %s", path)
        return _go_on(experiment, folder, trainer, changes, code)


def _go_on(
    experiment: Experiment, folder: RunFolder, trainer: Trainer, changes: Mapping[str, Any], code: Mapping[str, str]
) -> Outcome:
    """Go on with a run that is restored: its folder goes back to that step, and says what has changed since."""
    progress = trainer.progress
    folder.checkpoints.go_back(progress.step, progress.best_step)
    folder.write("resolved.yaml", dump(experiment.resolved()))
    if code:
        user_code.replace(experiment, folder, progress.step)
    around = {**changes_since(folder.facts), **code}
    for name, what in around.items():
        logger.warning("%s: %s; the run goes on, but perhaps not to the bit", name, what)
    resumed = {"step": progress.step, "changed": {**changes, **around}}
    folder.describe({"resumed": [*folder.facts.get("resumed", []), resumed]})
    return _run(folder, trainer)


def computing_of(archive: Archive, folder: RunFolder) -> Computing | None:
    """What has computed a run so far: its checkpoint says so, or else its run.json."""
    return Computing.from_json(archive.meta.get("computing")) or Computing.from_json(folder.facts)


def _follow(experiment: Experiment, runs: Path | None = None) -> Outcome:
    """Take part in a run that process 0 keeps, from where it says. runs: where first weights lie, if not yet taken."""
    told = processes().tell()
    if told == NOTHING_LEFT:
        return Outcome(Path(), "done", 0, None)
    trainer, (arrays, meta) = make_trainer(experiment, ()), told
    if arrays is None and runs is not None:
        _take_first_weights(experiment, runs)
    if arrays is not None:
        restore(trainer, Archive(arrays, meta, version=0), "the checkpoint of process 0")
    passing_on(trainer)
    trainer.run()
    return Outcome(Path(), "done", 0, None)


@contextlib.contextmanager
def _telling(folder: RunFolder) -> Iterator[None]:
    """A run that ends before its first step says how."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            folder.describe({"state": "failed" if isinstance(error, Exception) else "interrupted"})
        raise


def _run(folder: RunFolder, trainer: Trainer) -> Outcome:
    folder.describe({"state": "running"})
    ending = "failed"
    try:
        with stopping(trainer):
            trainer.run()
        ending = "done" if trainer.completed else str(trainer.stop_reason)
    except KeyboardInterrupt:  # a second signal
        ending = trainer.stop_reason or "interrupted"
    finally:
        state = "interrupted" if ending in EXIT_CODES else ending
        with contextlib.suppress(OSError):
            folder.describe(_facts(state, trainer))
    return Outcome(folder.path, state, EXIT_CODES.get(ending, 0), trainer.progress.best)


def _facts(state: str, trainer: Trainer) -> dict[str, Any]:
    return {"state": state, "step": trainer.progress.step, "best": trainer.progress.best}


def _nothing_left(folder: RunFolder, trainer: Trainer) -> Outcome:
    progress = trainer.progress
    processes().tell(NOTHING_LEFT)
    state, what = ("done", "is finished") if progress.done else ("interrupted", "has nothing left to do")
    # The process may have died before it could do this.
    folder.checkpoints.go_back(progress.step, progress.best_step)
    folder.describe(_facts(state, trainer))
    ends = [f"train.{name}" for name in ("epochs", "steps", "minutes") if getattr(trainer, name) is not None]
    logger.warning("%s %s (step %d): raise %s to go on", folder.path, what, progress.step, " or ".join(ends))
    return Outcome(folder.path, state, 0, progress.best)


def _changes(experiment: Experiment, archive: Archive, path: Path) -> dict[str, str]:
    """What has changed since the run was begun; CheckpointError for what would make it another run."""
    with reading(str(path)):
        check_data(archive.meta, experiment.dataset.digest)
    changed = differences(archive.meta.get("experiment", {}), experiment.resolved())
    refused = [f"  {name}: {what}" for name, what in changed.items() if not _is_free(name)]
    if refused:
        raise CheckpointError(
            f"{path}: the experiment has changed since this run was begun:\n" + "\n".join(refused) + "\n"
            "Change it back to resume, or start a new run without --resume."
        )
    return changed


def _is_free(name: str) -> bool:
    """Where the data lies is free as well: its hash says whether it is the same."""
    section = name.split(".")[0]
    return name.startswith("data.source") or (section in FREE_TO_CHANGE and name not in MATHEMATICS)
