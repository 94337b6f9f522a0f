"""KeepBest: the weights with the lowest validation loss, put back at the end."""

from __future__ import annotations

from dataclasses import dataclass

from minidl.graph.arrays import Array
from minidl.training.callback import Callback, Run


@dataclass(eq=False)
class KeepBest(Callback):
    """Keeps a copy of the best weights in memory."""

    order = Callback.SAVE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._best: Array | None = None

    def act(self, trainer: Run) -> None:
        """Copy them where this step is the best so far."""
        if "val/loss" in trainer.record and trainer.progress.best_step == trainer.progress.step:
            self._best = trainer.model.weights.flat.copy()

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Put them back."""
        super().finish(trainer, completed=completed)
        if self._best is not None:
            trainer.model.weights.flat[...] = self._best
