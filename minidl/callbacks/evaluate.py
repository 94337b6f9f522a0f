"""Evaluate: the model on data that it does not train on."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minidl.data.batches import Batches
from minidl.model import Model
from minidl.system.errors import NumericsError, UsageError
from minidl.training.callback import Abandoned, Callback
from minidl.training.metrics import MetricAccumulator, unit_of_loss

if TYPE_CHECKING:
    from minidl.training.callback import Run


logger = logging.getLogger("minidl")


def evaluate(
    model: Model, batches: Batches, split: str, unit: str, is_over: Callable[[], bool] = lambda: False
) -> dict[str, float]:
    """Loss and measures over one pass, on a replica: the state of the model itself is not touched.

    is_over: asked before each batch whether to leave off; then it raises Abandoned. model: a replica made by `model.replica()`, whose state begins at zero and is carried through the pass.
    """
    if "loss" not in model.graph.results:
        raise UsageError("a model without a loss cannot be measured: make it as Model(loss)")
    tally = MetricAccumulator()
    model.reset_state()
    for step in range(batches.steps_per_epoch):
        if is_over():
            raise Abandoned
        batch = batches.batch(step)
        if batch.reset_state:
            model.reset_state()
        loss = model.forward(**batch.inputs)["loss"]
        tally.add(model, loss, batch.inputs)
    return tally.result(split, unit_of_loss(model, unit))


@dataclass(eq=False)
class Evaluate(Callback):
    """Records val/loss and what goes with it; at the end of a run also test/loss and so on, with the last weights."""

    order = Callback.MEASURE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._replica: Model | None = None
        self._told = False

    def start(self, trainer: Run) -> None:
        """A model with a state of its own over the same weights."""
        self._replica = trainer.model.replica(weights=trainer.evaluated)

    def act(self, trainer: Run) -> None:
        """Evaluate on the validation part, and note whether it is the best so far."""
        if trainer.data.validation is None or self._replica is None:
            return
        measured = evaluate(self._replica, trainer.data.validation, "val", trainer.data.unit, lambda: trainer.hurried)
        if not measured:  # no target of this part counts
            return
        trainer.record |= measured
        progress, loss = trainer.progress, measured["val/loss"]
        progress.validation.append(loss if math.isfinite(loss) else math.inf)  # no progress, by any comparison
        if not math.isfinite(loss):
            self._not_finite(trainer, loss)
        if math.isfinite(loss) and (progress.best is None or loss < progress.best):
            progress.best, progress.best_step = loss, progress.step

    def _not_finite(self, trainer: Run, loss: float) -> None:
        """Told, and the end of the run where a loss that is not finite is to end it."""
        found = f"step {trainer.progress.step}: the validation loss is {loss}"
        if trainer.non_finite == "stop":
            raise NumericsError(
                f"{found}: look at the validation data, or lower the learning rate; with train.non_finite: skip the run "
                "goes on, and counts this as no progress"
            )
        if not self._told:
            logger.warning("%s; it counts as no progress, and the run goes on", found)
        self._told = True

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Evaluate once more at the end, and on the test part."""
        super().finish(trainer, completed=completed)
        if completed and trainer.data.test is not None and self._replica is not None:
            trainer.record |= evaluate(
                self._replica, trainer.data.test, "test", trainer.data.unit, lambda: trainer.hurried
            )
            if not math.isfinite(trainer.record.get("test/loss", 0.0)):
                logger.warning(
                    "the test loss is %s: no weights were found that measure it", trainer.record["test/loss"]
                )

    def finish_seconds(self, trainer: Run) -> float:
        """Both parts, by the time that one took, or else at half of what training takes for as many batches."""
        parts = [part.steps_per_epoch for part in (trainer.data.validation, trainer.data.test) if part is not None]
        if self._longest:
            return self._longest * sum(parts) / max(parts[0], 1)
        return sum(parts) * trainer.seconds_per_step / 2
