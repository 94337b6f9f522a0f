"""TrainMetrics: how training goes, averaged since the last time it was written down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minidl.callbacks.base import Callback
from minidl.metrics import Tally, unit_of_loss
from minidl.schedules import current

if TYPE_CHECKING:
    from minidl.trainer import Trainer

KEEP = 0.999  # of the smoothed loss, at each step
OF_TRAINING = ("smoothed_loss", "skipped", "lr", "grad_norm", "tokens_per_second")  # what only training has


@dataclass(eq=False)
class TrainMetrics(Callback):
    """Records train/loss and what follows from it, accuracy of the last batch, learning rate, gradient norm, speed.

    train/loss is the mean over all steps since the last record; train/smoothed_loss = 0.999 · itself + 0.001 · loss.
    train/skipped, where there are any, counts the steps left out for NaN or infinity.
    """

    order = Callback.MEASURE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tally = Tally()
        self._smoothed = math.nan
        self._since = 0, 0.0

    def start(self, trainer: Trainer) -> None:
        """Speed is measured from here."""
        self._since = trainer.progress.step, trainer.progress.seconds

    def step(self, trainer: Trainer) -> None:
        """Count every step, record when it is due."""
        if math.isfinite(trainer.loss):
            tally = Tally()
            tally.add(trainer.model, trainer.loss, trainer.batch.inputs, measures=False)
            self._tally.count += tally.count
            self._tally.sums["loss"] = self._tally.sums.get("loss", 0.0) + tally.sums["loss"]
            loss = tally.sums["loss"] / max(tally.count, 1)
            self._smoothed = loss if math.isnan(self._smoothed) else KEEP * self._smoothed + (1 - KEEP) * loss
        super().step(trainer)

    def act(self, trainer: Trainer) -> None:
        """Put the averages into the record of this step."""
        if trainer.progress.skipped:
            trainer.record["train/skipped"] = trainer.progress.skipped
        if not self._tally.count:
            return
        last = Tally()
        last.add(trainer.model, trainer.loss, trainer.batch.inputs)
        last.sums.pop("loss")
        unit = unit_of_loss(trainer.model, trainer.data.unit)
        trainer.record |= self._tally.result("train", unit)
        trainer.record |= last.result("train", unit)
        trainer.record |= {
            "train/smoothed_loss": self._smoothed,
            "train/lr": current(trainer.optimizer.lr, trainer.clock),
            "train/grad_norm": trainer.optimizer.memory.grad_norm,
            "train/tokens_per_second": self._speed(trainer),
        }
        self._tally = Tally()
        self._since = trainer.progress.step, trainer.progress.seconds

    def _speed(self, trainer: Trainer) -> float:
        steps = trainer.progress.step - self._since[0]
        seconds = trainer.progress.seconds - self._since[1]
        return steps * trainer.data.train.tokens_per_step / max(seconds, 1e-9)

    def memory(self) -> dict[str, Any]:
        """The sums since the last record."""
        return {
            "sums": self._tally.sums,
            "count": self._tally.count,
            "smoothed": None if math.isnan(self._smoothed) else self._smoothed,
        }

    def remember(self, memory: Mapping[str, Any]) -> None:
        """Go on from sums."""
        self._tally.sums, self._tally.count = dict(memory["sums"]), memory["count"]
        self._smoothed = math.nan if memory["smoothed"] is None else memory["smoothed"]
