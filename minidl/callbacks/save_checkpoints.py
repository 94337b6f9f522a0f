"""SaveCheckpoints: everything that it takes to go on, written often and whole."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from minidl.storage.checkpoint_folder import CheckpointFolder
from minidl.system.errors import NumericsError, RunLost, StorageError
from minidl.training.callback import Callback, Run
from minidl.training.checkpoint import capture

logger = logging.getLogger("minidl")


@dataclass(eq=False)
class SaveCheckpoints(Callback):
    """Saves before the first step, when due, at each best validation loss, and at the end or when the run is stopped.

    checkpoints: the folder to save in. facts: what else belongs into each file, such as the experiment. keep: how
    many of the newest stay, beside the best.
    """

    checkpoints: CheckpointFolder = field(kw_only=True)
    facts: dict[str, Any] = field(default_factory=dict, kw_only=True)
    keep: Annotated[int, Gt(0)] = field(default=2, kw_only=True)

    order = Callback.SAVE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._owed: tuple[int, dict[str, Any], dict[str, Any]] | None = None  # the best, which the disk has refused

    def start(self, trainer: Run) -> None:
        """Save what the run begins with: it can be resumed from now on, and a disk that refuses is noticed now."""
        if trainer.progress.step == 0:
            self._save(trainer)

    def step(self, trainer: Run) -> None:
        """Save when it is due, or better than ever; the last step is left to `finish`, which has more to save."""
        if trainer.record:
            self._make_good(trainer)
        is_best = "val/loss" in trainer.record and trainer.progress.best_step == trainer.progress.step
        if not trainer.finished and (is_best or (self.every is not None and self.every.due(trainer))):
            self._act(trainer)

    def act(self, trainer: Run) -> None:
        """Save; a disk that refuses costs this checkpoint, not the run."""
        try:
            self._save(trainer)
        except RunLost:
            raise
        except StorageError as error:
            logger.warning("%s; training goes on, the checkpoints before are intact", error)
            self._keep_best(trainer)

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Save the end of the run; here a disk that refuses is an error."""
        if completed or not trainer.at_end:  # a last step that was not measured is repeated when the run is resumed
            self._save(trainer)
        if self._owed is not None:
            self.checkpoints.save_best(*self._owed)

    def _keep_best(self, trainer: Run) -> None:
        """The best weights are kept in memory until the disk takes them."""
        step = trainer.progress.step
        if trainer.progress.best_step == step > 0:
            arrays, meta = capture(trainer)
            self._owed = step, {name: array.copy() for name, array in arrays.items()}, {**meta, **self.facts}

    def _make_good(self, trainer: Run) -> None:
        if self._owed is None:
            return
        if self._owed[0] == trainer.progress.best_step:
            try:
                self.checkpoints.save_best(*self._owed)
            except RunLost:
                raise
            except StorageError:
                return
            logger.info("the checkpoint of step %d, the best, is saved now", self._owed[0])
        self._owed = None

    def _save(self, trainer: Run) -> None:
        step = trainer.progress.step
        arrays, meta = capture(trainer)
        bad = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if bad:
            raise NumericsError(f"{bad[0]} holds NaN or infinity after step {step}, not saved; lower the learning rate")
        self.checkpoints.save(step, arrays, {**meta, **self.facts}, best=trainer.progress.best_step == step > 0)
        self.checkpoints.rotate(self.keep)
