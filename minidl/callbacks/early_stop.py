"""EarlyStop: the end of a run that no longer gets better."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt

from minidl.system.errors import UsageError
from minidl.training.callback import Callback, Run


@dataclass(eq=False)
class EarlyStop(Callback):
    """Stops after `patience` evaluations in a row without a validation loss below the best by `min_delta`.

    A loss that is NaN or infinite is no progress.
    """

    patience: Annotated[int, Gt(0)] = field(default=3, kw_only=True)
    min_delta: Annotated[float, Ge(0)] = field(default=0.0, kw_only=True)

    order = Callback.DECIDE

    def start(self, trainer: Run) -> None:
        """Refuse data without a validation part: there would be nothing to wait for."""
        if trainer.data.validation is None:
            raise UsageError("EarlyStop looks at validation losses, and the data has no validation part")

    def act(self, trainer: Run) -> None:
        """Stop where the last evaluations brought nothing."""
        losses = [loss if math.isfinite(loss) else math.inf for loss in trainer.progress.validation]
        if len(losses) <= self.patience or "val/loss" not in trainer.record:
            return
        if min(losses[-self.patience :]) >= min(losses[: -self.patience]) - self.min_delta:
            trainer.stop("early stop", completed=True)
