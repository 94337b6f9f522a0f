"""Evaluate: the model on data that it does not train on."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from minidl.data.batches import Batches
from minidl.model import Model
from minidl.storage.archive import read_archive
from minidl.storage.checkpoint_folder import CheckpointFolder
from minidl.system.errors import CheckpointError, NumericsError, UsageError
from minidl.training.callback import Abandoned, Callback, Run
from minidl.training.metrics import MetricAccumulator, unit_of_loss

logger = logging.getLogger("minidl")


def evaluate(model: Model, batches: Batches, split: str, unit: str) -> dict[str, float]:
    """Loss and measures over one pass; arguments as in `accumulate`."""
    return accumulate(model, batches).result(split, unit_of_loss(model, unit))


def accumulate(
    model: Model,
    batches: Batches,
    classes: Sequence[str] | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> MetricAccumulator:
    """What one pass says, on a replica: the state of the model itself is not touched.

    model: a replica made by `model.replica()`, whose state begins at zero and is carried through the pass. classes:
    their names, where more than averages is asked for. is_over: asked before each batch whether to leave off, which
    raises Abandoned.
    """
    if "loss" not in model.graph.results:
        raise UsageError("a model without a loss cannot be measured: make it as Model(loss)")
    found = MetricAccumulator(classes)
    model.reset_state()
    for step in range(batches.steps_per_epoch):
        if is_over():
            raise Abandoned
        batch = batches.batch(step)
        if batch.reset_state:
            model.reset_state()
        loss = model.forward(**batch.inputs)["loss"]
        found.add(model, loss, batch.inputs)
    return found


@dataclass(eq=False)
class Evaluate(Callback):
    """Records val/loss and what goes with it; at the end of a run also test/loss and so on.

    checkpoints: where the weights with the lowest validation loss lie, which are then tested, since they are what
    predictions and samples are made with; without it the last ones are.
    """

    checkpoints: CheckpointFolder | None = field(default=None, kw_only=True)

    order = Callback.MEASURE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._replica: Model | None = None

    def start(self, trainer: Run) -> None:
        """A model with a state of its own over the same weights."""
        self._replica = trainer.model.replica(caches=False, weights=trainer.evaluated)

    def act(self, trainer: Run) -> None:
        """Evaluate on the validation part, and note whether it is the best so far."""
        if trainer.data.validation is None or self._replica is None:
            return
        measured = self._measure(trainer, self._replica, trainer.data.validation, "val")
        if not measured:  # no target of this part counts
            return
        self._note(trainer, measured["val/loss"])

    def _note(self, trainer: Run, loss: float) -> None:
        """Whether this is the best validation loss so far."""
        progress = trainer.progress
        if not math.isfinite(loss):
            self._not_finite(trainer, loss)
        progress.validation.append(loss if math.isfinite(loss) else math.inf)  # no progress, by any comparison
        if math.isfinite(loss) and (progress.best is None or loss < progress.best):
            progress.best, progress.best_step = loss, progress.step

    def _not_finite(self, trainer: Run, loss: float) -> None:
        """Warn of a loss that is not finite, or end the run for it, as `non_finite` says."""
        found = f"step {trainer.progress.step}: the validation loss is {loss}"
        if trainer.non_finite == "stop":
            raise NumericsError(
                f"{found}: look at the validation data, or lower the learning rate; with train.non_finite: skip it "
                "counts as no progress, and the run goes on"
            )
        if all(map(math.isfinite, trainer.progress.validation)):
            logger.warning("%s, which counts as no progress", found)

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Evaluate once more at the end, and on the test part."""
        super().finish(trainer, completed=completed)
        if completed and trainer.data.test is not None and self._replica is not None:
            self._measure(trainer, self._best(trainer), trainer.data.test, "test")

    def _measure(self, trainer: Run, model: Model, batches: Batches, split: str) -> dict[str, float]:
        """Measure a part, and put what was found into the record of this step."""
        found = accumulate(model, batches, trainer.data.metadata.get("class_names"), lambda: trainer.hurried)
        measured = found.result(split, unit_of_loss(model, trainer.data.unit))
        trainer.record |= measured
        trainer.reports |= {f"{split}/{name}": report for name, report in found.details().items()}
        return measured

    def _best(self, trainer: Run) -> Model:
        """The model with the weights of the best checkpoint, or with the last where there is none of before."""
        assert self._replica is not None
        if self.checkpoints is None or trainer.progress.best_step in (0, trainer.progress.step):
            return self._replica
        path = self.checkpoints.path / "best"
        try:
            arrays = read_archive(path).arrays
        except CheckpointError as error:
            logger.warning("%s; tested are the last weights, not the best", error)
            return self._replica
        best = trainer.model.replica(dtype=trainer.model.weights.flat.dtype)
        best.set_parameters(arrays, str(path))
        return best

    def finish_seconds(self, trainer: Run) -> float:
        """Both parts, by the time that one took, or else at half of what training takes for as many batches."""
        parts = [part.steps_per_epoch for part in (trainer.data.validation, trainer.data.test) if part is not None]
        if self._longest and trainer.data.validation is not None:
            return self._longest * sum(parts) / max(parts[0], 1)
        return sum(parts) * trainer.seconds_per_step / 2
