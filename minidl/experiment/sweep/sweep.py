"""A sweep: trials of one experiment, each of them a run, until there are as many as wanted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import Trial, TrialState

from minidl.experiment.build.experiment import Experiment
from minidl.experiment.build.read_experiment import read_experiment
from minidl.experiment.run.callbacks_of_run import Watchers
from minidl.experiment.run.computing import Computing, set_up
from minidl.experiment.run.overview import title
from minidl.experiment.run.session import Outcome, resume, train
from minidl.experiment.sweep.database import Database
from minidl.experiment.sweep.journal import Journal
from minidl.experiment.sweep.ranges import Space, read_space
from minidl.experiment.sweep.report_trial import ReportTrial, run_key
from minidl.experiment.sweep.search import Search
from minidl.experiment.sweep.study import Study
from minidl.experiment.yaml.document import load
from minidl.storage.run_folder import RunFolder
from minidl.system.errors import CheckpointError, DataError, ExperimentError, NumericsError, UsageError, suggest
from minidl.training.callback import Callback

logger = logging.getLogger("minidl")
Sources = tuple[str, str]  # the hash of the data, and what the model file holds
KINDS = ("postgresql", "mysql", "sqlite", "grpc", "journal")  # of URLs
CHANGED = "has changed since this sweep was begun; the same command begins another one"
FAILURES = (NumericsError, UsageError, DataError, MemoryError)  # of one trial, which say nothing of the others


@dataclass(frozen=True)
class Sweep:
    """What is searched, and where; `read_sweep` makes it.

    journal: runs/NAME/sweep-HASH.journal, by which the same experiment, data, ranges and seeds are the same sweep.
    seeds: how many runs a trial has, that of the experiment and those that follow it as their seed.
    """

    experiment: Path
    space: Space
    runs: Path
    seed: int
    journal: Path
    tree: Mapping[str, Any]
    sources: Sources
    seeds: int = 1


def read_sweep(path: Path, changes: Sequence[str], runs: Path, seed: int, seeds: int = 1) -> Sweep:
    """A sweep, once its experiment was read and built with values from all over the ranges."""
    space = read_space(changes)
    (name, sources), *_ = [_checked(path, example) for example in space.examples()]
    tree = load(path).tree
    if seeds > 1 and "seed" in space.ranges:
        raise UsageError("--seeds trains each trial with several seeds: seed cannot be searched as well")
    identity = [tree, space.identity, seed, sources, *([seeds] if seeds > 1 else [])]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    return Sweep(path, space, runs, seed, runs / name / f"sweep-{digest[:8]}.journal", tree, sources, seeds)


def open_study(sweep: Sweep, search: Search, storage: str | None = None) -> Study:
    """The study of a sweep: at a URL, such as "postgresql://…" or "journal:///shared/FILE", or else in its journal."""
    if storage is None:
        return Journal(sweep.journal, search)
    kind, separator, place = storage.partition("://")
    if not separator or not place:
        raise UsageError(f"--storage is a URL, as in sqlite:///sweeps.db or postgresql://HOST/NAME, got {storage!r}")
    if kind not in KINDS:
        raise UsageError(f"--storage: there is no {kind}://{suggest(kind, KINDS)} (there are: {', '.join(KINDS)})")
    if kind == "journal":
        return Journal(Path(place), search)
    return Database(storage, f"{sweep.journal.parent.name}-{sweep.journal.stem}", search)


def take_part(
    sweep: Sweep, study: Study, trials: int, watchers: Callable[[int], Watchers], seconds: float = math.inf
) -> int:
    """Carry out trials until there are so many in all, also by others who take part; the exit code.

    It ends before that where every combination has been tried, or after so many seconds.

    watchers: callbacks that show a trial, by its number.
    """
    texts: dict[str, str] = {}
    end = time.monotonic() + seconds

    def draw(trial: Trial) -> None:
        texts.update({key: sweep.space.ranges[key].draw(trial, key) for key in sorted(sweep.space.ranges)})

    size = sweep.space.size
    while time.monotonic() < end:
        if size is not None and study.tried() >= size:
            if size < trials:
                logger.info("all %d combinations of values have been tried", size)
            break
        trial = study.ask(trials, draw)
        if trial is None:
            return 0
        if study.reuse(trial):
            continue
        code = _carry_out(sweep, study, trial, texts, watchers(trial.number))
        if code:
            return code
    return 0


def _carry_out(sweep: Sweep, study: Study, trial: Trial, texts: Mapping[str, str], watchers: Watchers) -> int:
    """One trial to its end; where it is interrupted it is put back, and the exit code is that of its run."""
    try:
        outcomes = _train_all(sweep, study, trial, texts, watchers)
    except FAILURES as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        study.tell(trial, TrialState.FAIL, error=reason)
        logger.warning("trial %d failed: %s", trial.number, reason)
        return 0
    except BaseException:
        study.put_back(trial)
        raise
    last, found = outcomes[-1], [outcome.best for outcome in outcomes if outcome.best is not None]
    mean = math.fsum(found) / len(found) if len(found) == len(outcomes) else None
    if last.exit_code:
        study.put_back(trial)
    elif last.state == "pruned":
        study.tell(trial, TrialState.PRUNED)
    elif mean is None:
        study.tell(trial, TrialState.FAIL, error="no validation loss was a number")
    else:
        study.tell(trial, TrialState.COMPLETE, mean)
    loss = "none" if mean is None else f"{mean:.4f}"
    values = " ".join(f"{key}={text}" for key, text in texts.items())
    logger.info("trial %d %s, best val/loss %s, %s (%s)", trial.number, last.state, loss, last.run, values)
    return last.exit_code


def _train_all(sweep: Sweep, study: Study, trial: Trial, texts: Mapping[str, str], watchers: Watchers) -> list[Outcome]:
    """The runs of a trial, one for each seed, until one does not come to its end."""
    outcomes: list[Outcome] = []
    for place in range(sweep.seeds):
        outcomes.append(_train(sweep, study, trial, texts, watchers, place))
        if outcomes[-1].state != "done":
            break
    return outcomes


def _train(
    sweep: Sweep, study: Study, trial: Trial, texts: Mapping[str, str], watchers: Watchers, place: int
) -> Outcome:
    """A run of a trial, by the place of its seed: a new one, or that which it had begun."""

    def watch(folder: RunFolder) -> Iterable[Callback]:
        return [ReportTrial(study=study, trial=trial, run=title(folder), place=place), *watchers(folder)]

    _check_file(sweep)
    changes = sweep.space.with_values(texts)
    experiment = read_experiment(sweep.experiment, changes)
    if place:
        experiment = read_experiment(sweep.experiment, [*changes, f"seed={experiment.seed + place}"])
    if _sources(experiment) != sweep.sources:
        raise CheckpointError(f"{sweep.experiment}: the data, or the model file, {CHANGED}")
    begun = trial.user_attrs.get(run_key(place))
    if begun is not None:
        number = int(begun.rpartition("/")[2])
        try:
            return resume(experiment, sweep.experiment, sweep.runs, number, watchers=watch)
        except CheckpointError as error:  # it had not come as far as a checkpoint, or was deleted
            logger.warning("%s; trial %d begins anew", error, trial.number)
    computing = Computing.from_json(study.agree("computing", lambda: set_up(experiment).to_json()))
    return train(experiment, sweep.experiment, sweep.runs, watchers=watch, computing=computing)


def _check_file(sweep: Sweep) -> None:
    """Refuse to go on with a file that says something else now."""
    with contextlib.suppress(ExperimentError):
        if load(sweep.experiment).tree == sweep.tree:
            return
    raise CheckpointError(f"{sweep.experiment}: the file {CHANGED}")


def _checked(path: Path, changes: list[str]) -> tuple[str, Sources]:
    """The name and the sources of an experiment that can be built."""
    experiment = read_experiment(path, changes)
    if experiment.train.evaluate_every is None or experiment.dataset.validation is None:
        raise UsageError("a sweep compares validation losses: it needs train.evaluate_every and a part for validation")
    return experiment.name, _sources(experiment)


def _sources(experiment: Experiment) -> Sources:
    code = "".join(path.read_text(encoding="utf-8", errors="replace") for path in experiment.code.values())
    return experiment.dataset.digest, code
