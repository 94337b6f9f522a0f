"""The training loop: a step after the other until the end; everything else is a callback."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

from minidl.data.batches import Batch, Dataset
from minidl.engine.parameters import Parameters
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.optim import Clock, Optimizer
from minidl.optim.schedule_checks import check_schedules
from minidl.storage.archive import Archive
from minidl.system.errors import NumericsError
from minidl.training import owed
from minidl.training.average import NonMonotonic, WeightAverage, evaluated_weights
from minidl.training.batch_parts import measured
from minidl.training.callback import Abandoned, Callback
from minidl.training.callback_list import CallbackList
from minidl.training.checkpoint import capture, restore
from minidl.training.gradient import fill_gradient
from minidl.training.metrics import MetricAccumulator
from minidl.training.nan_report import not_finite
from minidl.training.progress import Progress
from minidl.training.trainer_arguments import check_averaging, check_choices, check_limits, check_parts


class Trainer:
    """Trains a model on data, by truncated backpropagation through time where the data is one long sequence.

    epochs, steps, minutes: when to stop; the first that is reached. Minutes are for everything, evaluations and what
    callbacks do at the end as well; schedules are fitted to the steps that they allow. state: "carry" what recurrent
    layers hold from window to window (zeroed where the data begins anew), or "zero" it before each. accumulate: batches
    whose gradients are added up for one update, a step. average_weights: how much of a moving average of the weights
    each step keeps, as 0.999, or NonMonotonic(); it is what is evaluated, sampled and saved. non_finite: "stop" at a
    NaN or infinity, or "skip" that step. callbacks: what happens beside training.

    >>> import numpy as np
    >>> from minidl import Input, Model
    >>> from minidl.data import from_arrays
    >>> from minidl.layers import MSE, Dense
    >>> from minidl.optim import SGD
    >>> x = np.linspace(-1, 1, 32).reshape(1, 32, 1)
    >>> data = from_arrays({"x": x, "targets": 3 * x}, split=(1.0, 0.0, 0.0), batch_size=8)
    >>> model = Model(MSE()(Dense(1)(Input("x", depth=1)), Input("targets", depth=1)))
    >>> _ = Trainer(model, data, SGD(lr=0.5), epochs=20).run()
    >>> float(model.parameters["dense/W"][0, 0].round(2))
    3.0
    """

    def __init__(
        self,
        model: Model,
        data: Dataset,
        optimizer: Optimizer,
        *,
        epochs: float | None = None,
        steps: int | None = None,
        minutes: float | None = None,
        state: Literal["carry", "zero"] = "carry",
        accumulate: int = 1,
        average_weights: float | NonMonotonic | None = None,
        non_finite: Literal["stop", "skip"] = "stop",
        callbacks: Iterable[Callback] = (),
    ) -> None:
        check_parts(model, data, optimizer)
        check_limits(epochs=epochs, steps=steps, minutes=minutes)
        check_choices(state, non_finite)
        check_averaging(accumulate, average_weights, optimizer, data)
        self.model, self.data, self.optimizer = model, data, optimizer
        self.epochs, self.steps, self.minutes = epochs, steps, minutes
        self.state, self.non_finite = state, non_finite
        self.accumulate, self.average_weights = accumulate, average_weights
        self.callbacks, self.progress = CallbackList(callbacks), Progress()
        self.record: dict[str, float] = {}  # what this step has measured, for those who write it down
        self.texts, self.reports = dict[str, str](), dict[str, Any]()
        self.loss, self.batch = math.nan, Batch({}, reset_state=True)
        self.stop_reason: str | None = None
        self.previous_seconds, self._ended, self.hurried = 0.0, False, False
        self._paced_from: tuple[int, float] | None = None
        self._average: WeightAverage | None = None
        check_schedules(optimizer, self._step_limit(), has_validation=data.validation is not None)

    @np.errstate(all="ignore")  # what is not finite is found, and said with its place
    def run(self) -> Progress:
        """Train until the end, or until `stop` is called."""
        try:
            self._start()
            while self._goes_on():
                first = self.progress.step * self.accumulate
                self.update(*map(self.data.train.batch, range(first, first + self.accumulate)))
                self._turn_page()
                self._call()
            self._finish()
        finally:
            self.callbacks.call(lambda callback: callback.close(self), at_the_end=True)
        if self.callbacks.error is not None:
            raise self.callbacks.error
        return self.progress

    def update(self, *batches: Batch) -> None:
        """One step: forward, backward, and a change of the weights."""
        self.batch, self.loss = batches[-1], math.nan
        try:
            self.loss = self.fill_gradient(batches)
            self.optimizer.step(self.model, self.clock)
        except NumericsError as error:
            not_finite(self, error)
        self.progress.step += 1
        if self._average is not None:
            self._average.update(self.progress)

    def fill_gradient(self, batches: Sequence[Batch]) -> float:
        """Forward and backward; the gradient is left in the model, and the loss returned."""
        return fill_gradient(self.model, batches, carry=self.state == "carry")

    def measured(self) -> MetricAccumulator:
        """What was predicted of the last batch, counted in the shares in which several processes would compute it."""
        return measured(self.model, self.batch.inputs)

    def carried(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What the next step depends on besides weights: the state of recurrent layers, and random generators."""
        return self.model.executor.state_dict()

    def _call(self, first: str | None = None) -> None:
        """Call the callbacks, from this one on; what a signal breaks off is owed."""
        try:
            self.callbacks.call(lambda callback: callback.step(self), first=first)
        except Abandoned as broken_off:
            owed.note(self, str(broken_off))

    def stop(self, reason: str, *, completed: bool = False, hurried: bool = False) -> None:
        """End the run after the present step, not `completed` where it may be resumed; hurried: and what takes long."""
        self.hurried = self.hurried or hurried
        self.stop_reason = reason if hurried and self._ended else self.stop_reason or reason  # a signal breaks it off
        self._ended = self._ended or completed

    def state_dict(self) -> dict[str, Any]:
        """All that the run depends on, its place in the data as well: `arrays` by name, and `meta`, plain data."""
        arrays, meta = capture(self)
        return {"arrays": {name: np.array(array) for name, array in arrays.items()}, "meta": copy.deepcopy(meta)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; CheckpointError, and no change, where it does not fit."""
        restore(self, Archive(state["arrays"], state["meta"], version=0), "what was given")

    @property
    def failure(self) -> Exception | None:
        """What a callback raised, for which the run ends."""
        return self.callbacks.error

    @property
    def finished(self) -> bool:
        """Whether there is no further step to do now."""
        return self.completed or self.stop_reason is not None or self.callbacks.error is not None

    @property
    def completed(self) -> bool:
        """Whether the run has come to its end, and has nothing left to resume."""
        return (self._ended or self.at_end) and self.callbacks.error is None and self.progress.owed is None

    @property
    def at_end(self) -> bool:
        """Whether the steps, epochs or minutes are used up."""
        limit = self._step_limit()
        return self._seconds_left() <= 0 or (limit is not None and self.progress.step >= limit)

    @property
    def epoch(self) -> float:
        """Passes over the training data so far."""
        return self.progress.step / self.steps_per_epoch

    @property
    def steps_per_epoch(self) -> float:
        """Updates in which the training data is seen once."""
        return self.data.train.steps_per_epoch / self.accumulate

    @cached_property
    def evaluated(self) -> Parameters:
        """The weights that are evaluated and saved: those that are trained, or an average of them."""
        if self.average_weights is None:
            return evaluated_weights(self.model.weights, self.optimizer)
        self._average = WeightAverage(self.model.weights, self.average_weights)
        return self._average.parameters

    @property
    def total_steps(self) -> int | None:
        """Updates in the whole run: known, or expected at the pace of those so far."""
        limit = self._step_limit()
        if self.minutes is None or not self.seconds_per_step:
            return limit
        expected = self.progress.step + math.ceil(max(0.0, self._seconds_left()) / self.seconds_per_step)
        return expected if limit is None else min(limit, expected)

    @property
    def seconds_per_step(self) -> float:
        """The mean, with all that callbacks do, but without the first step, which may compile; 0 where unknown."""
        steps, seconds = self._paced_from or (0, 0.0)
        if self.progress.step == steps:
            steps, seconds = 0, 0.0
        return (self.progress.seconds - seconds) / max(1, self.progress.step - steps)

    @property
    def clock(self) -> Clock:
        """How far the run is, as schedules see it."""
        total = self.total_steps or math.ceil(self.steps_per_epoch)  # a guess, for the first step of a timed run
        return Clock(self.progress.step, total, tuple(self.progress.validation))

    def _seconds_left(self) -> float:
        """The seconds that are left for training, out of the minutes."""
        if self.minutes is None:
            return math.inf
        at_the_end = sum(callback.finish_seconds(self) for callback in self.callbacks)
        return 60 * self.minutes - self.progress.seconds - at_the_end

    def _step_limit(self) -> int | None:
        by_epochs = None if self.epochs is None else math.ceil(self.epochs * self.steps_per_epoch)
        return min((n for n in (self.steps, by_epochs) if n is not None), default=None)

    def _start(self) -> None:
        self.progress.done = False
        _ = self.evaluated  # an average begins with the weights of the first step
        self.callbacks.call(lambda callback: callback.start(self))
        self._started = time.perf_counter() - self.progress.seconds
        if self.progress.owed is not None:
            self._call(owed.take_up(self))

    def _goes_on(self) -> bool:
        """Whether there is another step; asked once before each, for a signal may come at any time."""
        return not self.finished

    def _finish(self) -> None:
        self._turn_page()
        self.progress.done = completed = self.completed
        try:
            self.callbacks.call(lambda callback: callback.finish(self, completed=completed))
        except Abandoned as broken_off:  # the last step is done again, and measured, when the run is resumed
            self.progress.done, self.progress.owed = False, {"callback": str(broken_off)}

    def _turn_page(self) -> None:
        self.record, self.texts, self.reports = {}, {}, {}
        self.previous_seconds, self.progress.seconds = self.progress.seconds, time.perf_counter() - self._started
        self._paced_from = self._paced_from or (self.progress.step, self.progress.seconds)
