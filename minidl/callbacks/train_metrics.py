"""TrainMetrics: how training goes, averaged since the last time it was written down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minidl.optim.schedules import current
from minidl.training.callback import Callback, Run
from minidl.training.metrics import MetricAccumulator, unit_of_loss

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
        self._accumulator = MetricAccumulator()
        self._smoothed = math.nan
        self._since = 0, 0.0

    def start(self, trainer: Run) -> None:
        """Speed is measured from here."""
        self._since = trainer.progress.step, trainer.progress.seconds

    def step(self, trainer: Run) -> None:
        """Count every step, record when it is due."""
        if math.isfinite(trainer.loss):
            tally = MetricAccumulator()
            tally.add(trainer.model, trainer.loss, trainer.batch.inputs, measures=False)
            self._accumulator += tally
            loss = tally.sums["loss"] / max(tally.count, 1)
            self._smoothed = loss if math.isnan(self._smoothed) else KEEP * self._smoothed + (1 - KEEP) * loss
        super().step(trainer)

    def act(self, trainer: Run) -> None:
        """Put the averages into the record of this step."""
        if trainer.progress.skipped:
            trainer.record["train/skipped"] = trainer.progress.skipped
        if not self._accumulator.count:
            return
        unit = unit_of_loss(trainer.model, trainer.data.unit)
        trainer.record |= self._accumulator.result("train", unit)
        if math.isfinite(trainer.loss):
            last = trainer.measured()
            last.sums.pop("loss")
            trainer.record |= last.result("train", unit)
        trainer.record |= {
            "train/smoothed_loss": self._smoothed,
            "train/lr": current(trainer.optimizer.lr, trainer.clock),
            "train/grad_norm": trainer.optimizer.history.grad_norm,
            "train/tokens_per_second": self._speed(trainer),
        }
        self._accumulator = MetricAccumulator()
        self._since = trainer.progress.step, trainer.progress.seconds

    def _speed(self, trainer: Run) -> float:
        steps = trainer.progress.step - self._since[0]
        seconds = trainer.progress.seconds - self._since[1]
        return steps * trainer.accumulate * trainer.data.train.tokens_per_step / max(seconds, 1e-9)

    def state_dict(self) -> dict[str, Any]:
        """The sums since the last record."""
        return {
            "sums": self._accumulator.sums,
            "count": self._accumulator.count,
            "smoothed": None if math.isnan(self._smoothed) else self._smoothed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from sums."""
        self._accumulator.sums, self._accumulator.count = dict(state["sums"]), state["count"]
        self._smoothed = math.nan if state["smoothed"] is None else state["smoothed"]
