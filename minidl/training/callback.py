"""What a callback is, what it may see of a run, and when it is due."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from minidl.config.declared import Declared
from minidl.data.batches import Batch, Dataset
from minidl.engine.parameters import Parameters
from minidl.model import Model
from minidl.optim import Clock, Optimizer
from minidl.system.errors import ConfigError
from minidl.training.metrics import MetricAccumulator
from minidl.training.progress import Progress

Array = NDArray[np.generic]


class Abandoned(Exception):
    """A callback has left off half-way, since the run is to end at once; it is called again when the run goes on."""


class Run(Protocol):
    """What callbacks see of a run, and may do to it; `minidl.training.trainer.Trainer` is one.

    hurried: whether the run is to end within a second or two, so that what takes longer raises Abandoned.
    record, texts, reports: what this step has measured and written, for those who write it down; a report does not fit
    into a number, such as a confusion matrix. loss: of this step. batch: the one that was trained on last.
    """

    model: Model
    data: Dataset
    optimizer: Optimizer
    progress: Progress
    record: dict[str, float]
    texts: dict[str, str]
    reports: dict[str, Any]
    loss: float
    batch: Batch
    accumulate: int
    stop_reason: str | None
    hurried: bool
    previous_seconds: float

    @property
    def non_finite(self) -> str:
        """What becomes of a step that is not finite: "stop" or "skip"."""

    @property
    def callbacks(self) -> Iterable[Callback]:
        """All of them, in their order."""

    @property
    def failure(self) -> Exception | None:
        """What a callback raised, for which the run ends."""

    @property
    def finished(self) -> bool:
        """Whether there is no further step to do now."""

    @property
    def seconds_per_step(self) -> float:
        """The mean, with all that callbacks do; 0 where unknown."""

    @property
    def evaluated(self) -> Parameters:
        """The weights that are evaluated and saved: those that are trained, or an average of them."""

    @property
    def steps_per_epoch(self) -> float:
        """Updates in which the training data is seen once."""

    @property
    def epoch(self) -> float:
        """Passes over the training data so far."""

    @property
    def total_steps(self) -> int | None:
        """Updates in the whole run, as far as that is known."""

    @property
    def at_end(self) -> bool:
        """Whether the steps, epochs or minutes are used up."""

    @property
    def clock(self) -> Clock:
        """How far the run is, as schedules see it."""

    def measured(self) -> MetricAccumulator:
        """What was predicted of the last batch, counted."""

    def carried(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What the next step depends on besides weights: the state of recurrent layers, and random generators."""

    def stop(self, reason: str, *, completed: bool = False) -> None:
        """End the run after the present step; not `completed` where it may be resumed."""


@dataclass(frozen=True)
class Every(Declared, family="trigger", abstract=False):
    """A rhythm: every so many steps, epochs or minutes; exactly one of them is named.

    >>> Every(steps=50)
    Every(steps=50)
    """

    steps: Annotated[int, Gt(0)] | None = None
    epochs: Annotated[float, Gt(0)] | None = None
    minutes: Annotated[float, Gt(0)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(value is not None for value in (self.steps, self.epochs, self.minutes)) != 1:
            raise ConfigError("an interval is one of {steps: N}, {epochs: N} or {minutes: N}")

    def due(self, trainer: Run) -> bool:
        """Whether a multiple of the interval was passed in the last step."""
        progress = trainer.progress
        return self._passed(trainer, progress.step, trainer.previous_seconds, progress.seconds)

    def due_next(self, trainer: Run) -> bool:
        """Whether one will be passed in the coming step; of minutes a guess, that it takes as long as the last one."""
        progress = trainer.progress
        expected = 2 * progress.seconds - trainer.previous_seconds
        return self._passed(trainer, progress.step + 1, progress.seconds, expected)

    def _passed(self, trainer: Run, step: int, before: float, seconds: float) -> bool:
        if self.steps is not None:
            return step % self.steps == 0
        if self.epochs is not None:
            interval = self.epochs * trainer.steps_per_epoch
            return step // interval > (step - 1) // interval
        assert self.minutes is not None
        interval = 60 * self.minutes
        return seconds // interval > before // interval


@dataclass(eq=False)
class Callback(Declared, family="callback"):
    """Base of what happens beside training. `act` is called when the callback is due, and once more at the end.

    every: how often; after each step where it is None. order: those that measure come first, then those that decide,
    write, and save.
    """

    every: Every | None = None

    order: ClassVar[int] = 0
    MEASURE, DECIDE, WRITE, SAVE = 0, 1, 2, 3
    _acted_at: ClassVar[int] = -1
    _longest: ClassVar[float] = 0.0

    def start(self, trainer: Run) -> None:
        """Called before the first step, and when a run is resumed."""

    def step(self, trainer: Run) -> None:
        """Called after each step."""
        if self.every is None or self.every.due(trainer):
            self._act(trainer)

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Called after the last step; not `completed` where the run was stopped and may be resumed."""
        if completed and self._acted_at != trainer.progress.step:
            self._act(trainer)

    def close(self, trainer: Run) -> None:
        """Called at the very end, also after an error."""

    def act(self, trainer: Run) -> None:
        """What the callback is for."""

    def state_dict(self) -> dict[str, Any]:
        """Plain data that a resumed run has to know."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""

    def finish_seconds(self, trainer: Run) -> float:
        """What `finish` will take, for which a timed run leaves room: the longest that acting took so far."""
        return self._longest

    def _act(self, trainer: Run) -> None:
        self._acted_at, begun = trainer.progress.step, time.perf_counter()  # type: ignore[misc]
        self.act(trainer)
        self._longest = max(self._longest, time.perf_counter() - begun)  # type: ignore[misc]
