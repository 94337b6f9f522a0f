"""ReportTrial: a run that is a trial tells of its validation losses, and ends where others were better by now."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, field
from typing import Any

from minidl.training.callback import Callback, Run


def run_key(place: int) -> str:
    """Under which name a trial keeps the run with its first seed, its second, …

    >>> run_key(0), run_key(1)
    ('run', 'run of seed 2')
    """
    return f"run of seed {place + 1}" if place else "run"


@dataclass(eq=False)
class ReportTrial(Callback):
    """Reports after each evaluation.

    study, trial: where, and for which. run: NAME/NUMBER of the run, so that it can be gone on with. place: of its seed,
    from 0. Trials are compared by the first of their runs, which have the same seed; those after it go to their ends.
    """

    study: Any = field(kw_only=True)
    trial: Any = field(kw_only=True)
    run: str = field(kw_only=True)
    place: int = field(kw_only=True)

    order = Callback.DECIDE

    def start(self, trainer: Run) -> None:
        """Note which run it is."""
        self.study.note(self.trial, run_key(self.place), self.run)

    def act(self, trainer: Run) -> None:
        """Report what is new."""
        if "val/loss" in trainer.record and self._should_end(trainer):
            trainer.stop("pruned")
        self._end_with_parent(trainer)

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Report the last evaluation, which is made when the run has ended."""
        self.act(trainer)

    def _should_end(self, trainer: Run) -> bool:
        if self.place:
            return bool(self.study.is_lost(self.trial))
        return bool(self.study.report(self.trial, trainer.progress.validation))

    def _end_with_parent(self, trainer: Run) -> None:
        """Stop where the parent process, which passes signals on, was killed."""
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            trainer.stop("interrupted")
