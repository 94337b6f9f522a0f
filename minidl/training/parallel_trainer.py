"""One run on several processes: each trains its own sequences of every batch, and the gradients are added up.

A process computes a branch of the tree in which shares of a batch are added (see `Shares`), and the branches are added
in the same order: the numbers do not depend on how many processes there are, and a single one gets them as well.

Or each process takes steps of its own, and every so many of them their weights, and what the optimizers keep, are
averaged (local SGD: Stich 2019, algorithm 1), so that little has to be sent.

Process 0 alone has callbacks: it evaluates, writes and decides. The others do what it says after every step.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minidl.data.batches import Batch, Dataset
from minidl.graph.arrays import Array
from minidl.graph.sums import add_in_pairs, shares
from minidl.model import Model
from minidl.optim import Optimizer
from minidl.system.errors import NumericsError, UsageError
from minidl.system.processes import Processes
from minidl.training.batch_parts import sequences_of, weights_of_sequences
from minidl.training.callback import Callback, Every
from minidl.training.metrics import MetricAccumulator
from minidl.training.shares import Shares
from minidl.training.trainer import Trainer

logger = logging.getLogger("minidl")


class ParallelTrainer(Trainer):
    """A Trainer that is one of several processes. All are made alike, but only process 0 is given callbacks.

    average_every: how often weights are averaged, instead of gradients in every step.

    Raises UsageError where a batch has too few sequences for so many processes.
    """

    def __init__(
        self,
        processes: Processes,
        model: Model,
        data: Dataset,
        optimizer: Optimizer,
        *,
        average_every: Every | None = None,
        callbacks: Iterable[Callback] = (),
        **settings: Any,
    ) -> None:
        super().__init__(model, data, optimizer, callbacks=callbacks if processes.is_first else (), **settings)
        self.processes, self.average_every = processes, average_every
        self._told: dict[str, Any] = {}
        inputs = data.train.batch(0).inputs
        self._batch = sequences_of(model, inputs)
        if not self._batch and processes.size > 1:
            raise UsageError(
                "no input of this model has an axis of sequences, B: it cannot be trained by several processes"
            )
        count = shares(self._batch or 1)
        if processes.size > count:
            raise UsageError(
                f"a batch of {self._batch} sequences is cut into {count} shares, too few for {processes.size} "
                f"processes: start {count} or fewer, or raise batch_size"
            )
        self.shares = Shares(model, processes.size, processes.rank)
        if average_every is None:
            weights_of_sequences(model, inputs)  # raises where it is not known before a step
        self._rooms = np.empty((processes.size, model.weights.flat.size), model.weights.flat.dtype)

    def update(self, *batches: Batch) -> None:
        """One step of all processes, or of each, after which their weights may be averaged."""
        super().update(*batches)
        if self.average_every is not None and self.average_every.due(self):
            self._average_weights()

    def _average_weights(self) -> None:
        """The mean over the processes, each counted by its sequences; of what the optimizers keep as well."""
        self._collect(self.loss)
        own = self.shares.own(self._batch)
        share = (own.stop - own.start) / self._batch
        for array in (self.model.weights.flat, *self.optimizer.history.slots.values()):
            array *= array.dtype.type(share)
            self.add_up(array)

    def fill_gradient(self, batches: Sequence[Batch]) -> float:
        """The gradient of the whole batch: of the own sequences, added to those of all other processes."""
        run = self.shares.run if self.average_every is not None else self.shares.fill_gradient
        loss = run(batches, carry=self.state == "carry")
        if self.average_every is not None:
            return loss
        self.add_up(self.model.executor.gradient)
        loss = float(add_in_pairs([each for each, _ in self._collect(loss)]))
        if not math.isfinite(loss):
            self.model.executor.state = {}
            raise NumericsError(f"the loss is {loss}")
        return loss

    def _collect(self, loss: float) -> list[tuple[float, str | None]]:
        """The loss of each process, and why it is to end; process 0 ends the run for that, with everything saved."""
        found = self.processes.collect((loss, self.stop_reason))
        if self.processes.is_first and self.stop_reason is None:
            for rank, reason in enumerate([reason for _, reason in found]):
                if reason is not None:
                    logger.warning("process %d of %d was %s: finishing this step and saving", rank, len(found), reason)
                    self.stop(reason, hurried=True)
                    break
        return found

    def add_up(self, vector: Array) -> None:
        """The sum over all processes, in the order of the tree, in the place of what each has."""
        if self.processes.size == 1:
            return
        self.processes.gather(vector, self._room(vector))
        vector[...] = add_in_pairs(list(self._room(vector)))

    def _room(self, gradient: Array) -> Array:
        if self._rooms.shape[1] != gradient.size:
            self._rooms = np.empty((self.processes.size, gradient.size), gradient.dtype)
        return self._rooms

    def carried(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What recurrent layers carry, of all sequences: process 0 asks the others for theirs."""
        self.processes.tell("carried")
        return self._collect_carried()

    def _collect_carried(self) -> tuple[dict[str, Array], dict[str, Any]]:
        if self.average_every is not None:  # a checkpoint is of all processes
            self._average_weights()
        state, generators = self.model.executor.state_dict()
        parts = self.processes.collect(state)
        return {name: np.concatenate([part[name] for part in parts]) for name in state}, generators

    def measured(self) -> MetricAccumulator:
        """What was answered to the last batch, by all processes; where each takes steps of its own, by process 0."""
        if self.average_every is not None:
            return self.shares.measured()
        self.processes.tell("measured")
        return self._collect_measured()

    def _collect_measured(self) -> MetricAccumulator:
        parts: list[MetricAccumulator] = self.processes.collect(self.shares.measured())
        return add_in_pairs(parts)

    def _follow(self) -> dict[str, Any]:
        """Process 0 says how it goes on, and does so; the others do what it asks for until it does."""
        if self.processes.is_first:
            return dict(self.processes.tell(self._situation()))
        answers = {"carried": self._collect_carried, "measured": self._collect_measured}
        while isinstance(told := self.processes.tell(), str):
            answers[told]()
        self._told = told
        self.progress.seconds, self.progress.validation = told["seconds"], list(told["validation"])
        return self._told

    def _situation(self) -> dict[str, Any]:
        return {
            "seconds": self.progress.seconds,
            "validation": list(self.progress.validation),
            "finished": self.finished,
            "total_steps": super().total_steps,
        }

    @property
    def total_steps(self) -> int | None:
        """Updates in the whole run, as process 0 sees it."""
        return self._told["total_steps"] if "total_steps" in self._told else super().total_steps

    def _start(self) -> None:
        self.shares.take_state()
        super()._start()

    def _goes_on(self) -> bool:
        return not self._follow()["finished"]

    def _finish(self) -> None:
        if self.average_every is not None:
            self._average_weights()
        super()._finish()
        self._follow()
