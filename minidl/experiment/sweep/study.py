"""The trials of a sweep, to which several processes may write: what they ask for and tell, wherever it is kept."""

from __future__ import annotations

import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from minidl.experiment.sweep.search import Search

Values = tuple[tuple[str, Any], ...]

logger = logging.getLogger("minidl")


class Study(ABC):
    """A study of Optuna, open in a `with`. Each trial is asked for, then told or put back, to be asked for again."""

    def __init__(self, name: str, search: Search) -> None:
        self.name = name
        self._sampler, self._pruner = search.sampler(), search.pruner()
        self._ended: dict[int, Values] = {}  # of trials that have ended, by number

    @abstractmethod
    def __enter__(self) -> Study: ...

    @abstractmethod
    def __exit__(self, *_exception: object) -> None: ...

    @abstractmethod
    def put_back_orphans(self) -> None:
        """Let the next process have the trials of those that are gone."""

    def ask(self, most: int, draw: Callable[[Trial], Any]) -> Trial | None:
        """The next trial with its values drawn; None when there are as many as wanted and none was put back."""
        with self._shared():
            found = self._look()
            if len(found) >= most and not any(trial.state == TrialState.WAITING for trial in found):
                return None
            trial = self._study.ask()
            draw(trial)
            return trial

    def put_back(self, trial: Trial) -> None:
        """Let the next process have a trial."""
        with self._shared():
            self._set_waiting(trial.number)

    def tell(self, trial: Trial, state: TrialState, loss: float | None = None, **facts: Any) -> None:
        """The end of a trial; the loss of one that is complete."""
        with self._shared():
            for name, value in facts.items():
                trial.set_user_attr(name, value)
            self._study.tell(trial, loss, state)

    def tried(self) -> int:
        """How many combinations of values have come to an end."""
        self._look()
        return len(set(self._ended.values()))

    def reuse(self, trial: Trial) -> bool:
        """Whether a trial with these values had ended before: the runs are the same to the bit, and so is the end."""
        values = _values(trial)
        number = next((number for number, others in self._ended.items() if others == values), None)
        if number is None:
            return False
        other = self.trials()[number]
        self.tell(trial, other.state, other.value, **{**other.user_attrs, "reused": number})
        logger.info("trial %d has the values of trial %d, and its result", trial.number, number)
        return True

    def _look(self) -> list[FrozenTrial]:
        """All trials; the values of those that have ended are kept in mind, for they stay as they are."""
        found = self.trials()
        for trial in found:
            if trial.number not in self._ended and trial.state.is_finished():
                self._ended[trial.number] = _values(trial)
        return found

    def report(self, trial: Trial, losses: list[float]) -> bool:
        """Note all validation losses of a trial so far; whether it should end, for others were better by now."""
        with self._shared():
            noted = len(self._now(trial).intermediate_values)
            for number, loss in enumerate(losses[noted:], start=noted + 1):
                trial.report(loss, number)
            return len(losses) > noted and trial.should_prune()

    def is_lost(self, trial: Trial) -> bool:
        """Whether a trial was given to another process, and is not to go on here."""
        return False

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

    def _now(self, trial: Trial) -> FrozenTrial:
        """A trial as it is by now."""
        return self._storage.get_trial(trial._trial_id)

    def _shared(self) -> contextlib.AbstractContextManager[Any]:
        """While this lasts, no other process changes anything, where the storage needs that."""
        return contextlib.nullcontext()

    def _open(self, storage: BaseStorage) -> None:
        """The study in a storage, made there by the first who takes part."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        how: Any = {"study_name": self.name, "sampler": self._sampler, "pruner": self._pruner, "storage": storage}
        if any(study.study_name == self.name for study in storage.get_all_studies()):
            self._study = optuna.load_study(**how)  # create_study would write a line into the journal each time
        else:
            self._study = optuna.create_study(**how, load_if_exists=True)
        self._storage = self._study._storage  # which keeps in mind what has ended, where Optuna puts that before it

    def _set_waiting(self, number: int) -> None:
        self._storage.set_trial_state_values(self._id(number), TrialState.WAITING)

    def _id(self, number: int) -> int:
        study = self._storage.get_study_id_from_name(self.name)
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)


def _values(trial: Trial | FrozenTrial) -> Values:
    return tuple(sorted(trial.params.items()))
