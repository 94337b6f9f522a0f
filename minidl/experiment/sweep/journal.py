"""The trials of a sweep in a file, to which several processes may write, and which outlives all of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import optuna
from optuna.exceptions import OptunaError
from optuna.pruners import MedianPruner, NopPruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from minidl.experiment.sweep.mutex import Mutex
from minidl.experiment.sweep.sampler import SeededByTrial
from minidl.storage.atomic import refusing
from minidl.system.errors import CheckpointError

FINISHED_FIRST = 5  # trials that end before others are compared with them
SPARED = 1  # evaluations of each trial that are not compared
DAMAGED = (OptunaError, ValueError, LookupError, TypeError, AttributeError, AssertionError)  # what Optuna then raises


class Journal:
    """A study of Optuna, open in a `with`. Each trial is asked for, then told or put back, to be asked for again."""

    def __init__(self, path: Path, *, seed: int, prunes: bool = True) -> None:
        self.path = path
        self._mutex = Mutex(path.with_name(f".{path.stem}.lock"))
        self._sampler = SeededByTrial(seed)
        self._pruner = MedianPruner(FINISHED_FIRST, SPARED + 1) if prunes else NopPruner()

    def __enter__(self) -> Journal:
        with refusing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._presence = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with self._shared():
                if self._is_alone():
                    self._mend()
                self._open()
                self._put_back_orphans()
        except BaseException:
            os.close(self._presence)
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._presence)

    def ask(self, most: int, draw: Callable[[Trial], Any]) -> Trial | None:
        """The next trial with its values drawn; None when there are as many as wanted and none was put back."""
        with self._shared():
            if len(self.trials()) >= most and not self.trials(TrialState.WAITING):
                return None
            trial = self._study.ask()
            draw(trial)
            return trial

    def put_back(self, trial: Trial) -> None:
        """Leave a trial for whoever comes next."""
        with self._shared():
            self._set_waiting(trial.number)

    def put_back_orphans(self) -> None:
        """The same with the trials of processes that were killed, if nobody takes part but who asks for this."""
        with self._shared():
            self._put_back_orphans()

    def tell(self, trial: Trial, state: TrialState, loss: float | None = None, **facts: Any) -> None:
        """The end of a trial; the loss of one that is complete."""
        with self._shared():
            for name, value in facts.items():
                trial.set_user_attr(name, value)
            self._study.tell(trial, loss, state)

    def report(self, trial: Trial, losses: list[float]) -> bool:
        """Note all validation losses of a trial so far; whether it should end, for others were better by now."""
        with self._shared():
            noted = len(self.trials()[trial.number].intermediate_values)
            for number, loss in enumerate(losses[noted:], start=noted + 1):
                trial.report(loss, number)
            return len(losses) > noted and trial.should_prune()

    def note(self, trial: Trial, name: str, value: Any) -> None:
        """Keep a fact of a trial."""
        with self._shared():
            trial.set_user_attr(name, value)

    def agree(self, name: str, value: Callable[[], Any]) -> Any:
        """A fact of the whole sweep: what the first who took part has found.

        It is found without the lock, for that may take a while; of two who do that at once the first counts.
        """
        if name not in self._study.user_attrs:
            found = value()
            with self._shared():
                if name not in self._study.user_attrs:
                    self._study.set_user_attr(name, found)
        return self._study.user_attrs[name]

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """All trials, or those in these states, by number."""
        return self._study.get_trials(deepcopy=False, states=states or None)

    @contextlib.contextmanager
    def _shared(self) -> Iterator[None]:
        """While this lasts, no other process changes anything."""
        with refusing(self.path), self._mutex:
            yield

    def _is_alone(self) -> bool:
        """Whether nobody else has the journal open; nobody can open it before the mutex is let go."""
        try:
            fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._presence, fcntl.LOCK_SH)
        return True

    def _put_back_orphans(self) -> None:
        if self._is_alone():
            for trial in self.trials(TrialState.RUNNING):
                self._set_waiting(trial.number)

    def _mend(self) -> None:
        """Cut off a last line that was being written when the power failed."""
        content = self.path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(self.path, content.rfind(b"\n") + 1)

    def _open(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        name, lock = self.path.stem, cast(Any, self._mutex)
        try:
            self._storage = JournalStorage(JournalFileBackend(str(self.path), lock))
            open_study = optuna.load_study if self._storage.get_all_studies() else optuna.create_study
            self._study = open_study(study_name=name, storage=self._storage, sampler=self._sampler, pruner=self._pruner)
        except DAMAGED as error:
            raise CheckpointError(
                f"{self.path}: holds no sweep that could go on ({error}); delete it to begin anew, the runs are kept"
            ) from error

    def _set_waiting(self, number: int) -> None:
        study = self._storage.get_study_id_from_name(self.path.stem)
        trial = self._storage.get_trial_id_from_study_id_trial_number(study, number)
        self._storage.set_trial_state_values(trial, TrialState.WAITING)
