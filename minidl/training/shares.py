"""The shares of a batch that one process computes: the sum of their gradients does not depend on who computes which.

A batch is cut into shares of whole sequences that depend on the batch alone (`minidl.graph.sums`), and their
gradients are added in pairs. Compiled kernels do so by themselves: what they compute alone is computed at once, to the
bits of a run that knows of no shares. All else is computed one share after the other: the last bits of a product of
NumPy depend on how many rows it has, and targets that weigh differently share a mean otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from minidl.data.batches import Batch
from minidl.engine.binding import is_compiled
from minidl.graph.arrays import Array, Param, Tied
from minidl.graph.layer import Node
from minidl.graph.sums import add_in_pairs, columns, part_of_a_batch, shares
from minidl.model import Model
from minidl.system.errors import NumericsError
from minidl.training.batch_parts import cut, measured, sequences_of, weights_of_sequences
from minidl.training.gradient import fill_gradient
from minidl.training.metrics import MetricAccumulator, is_mean, predicted
from minidl.training.whole_batch import WholeBatch


def branches(processes: int, count: int) -> list[tuple[int, int]]:
    """Which shares each process computes: (first, end) of a branch of the tree in which shares are added in pairs.

    Where there are fewer shares than processes, some have none.

    >>> branches(1, 4), branches(3, 4), branches(3, 1)
    ([(0, 4)], [(0, 1), (1, 2), (2, 4)], [(0, 1), (1, 1), (1, 1)])
    """
    if processes == 1 or count == 1:
        return [(0, count)] + [(count, count)] * (processes - 1)
    left, half = (processes + 1) // 2, count // 2
    return branches(left, half) + [(half + a, half + b) for a, b in branches(processes - left, half)]


class Shares:
    """The shares that one of so many processes computes, of every batch."""

    def __init__(self, model: Model, processes: int = 1, rank: int = 0) -> None:
        self._model, self._processes, self._rank = model, processes, rank
        self._rngs = {name: WholeBatch(model.executor.rngs[name], node) for name, node in model.graph.nodes.items()}
        rngs: dict[str, Any] = model.executor.rngs
        rngs.update(self._rngs)
        self._kernels_add = _kernels_add_in_shares(model)
        self._carried_by = 0  # sequences of the batch before
        self._cut_off = Batch({}, reset_state=True)  # what the model has run on
        # Of the last batch what this process computed: inputs, predictions, and how many shares they are.
        self._answered: list[tuple[Mapping[str, Array], Array | None, int]] = []

    def own(self, sequences: int) -> slice:
        """The sequences of a batch of so many that this process computes."""
        count = shares(sequences)
        return columns(sequences, *self._branch(count), count)

    def _branch(self, count: int) -> tuple[int, int]:
        """The first of the own shares, out of so many, and the end of them."""
        return branches(self._processes, count)[self._rank]

    def take_state(self) -> None:
        """Keep the own sequences of a state of all, as a checkpoint has it."""
        state = self._model.executor.state
        self._carried_by = len(next(iter(state.values()), ()))
        for name, array in state.items():
            state[name] = array[self.own(self._carried_by)].copy()

    def fill_gradient(self, batches: Sequence[Batch], *, carry: bool) -> float:
        """Leave the part of the own shares in the gradient of whole batches in the model; returns that in the loss.

        The state of a batch of another size is not carried on, as in every run.
        """
        sizes = [sequences_of(self._model, batch.inputs) or 1 for batch in batches]
        if {self._carried_by} != set(sizes):
            self._model.executor.state = {}
        self._carried_by = sizes[-1]
        count = min(map(shares, sizes))
        weights = np.array([self._weights(batch, size, count) for batch, size in zip(batches, sizes, strict=True)])
        parts = weights.sum(axis=0) / (math.fsum(weights.flat) or 1.0) if is_mean(self._model) else np.ones(count)
        first, end = self._branch(count)
        alike = len(batches) == 1 and sizes[0] % count == 0 and bool((weights == weights[0, 0]).all())
        self._answered = []
        if self._kernels_add and alike and first < end:
            loss = self._run(batches, first, end, count, carry)
            self._answered.append((self._cut_off.inputs, predicted(self._model), end - first))
            part = parts[first:end].sum() if is_mean(self._model) else 1.0
            self._model.executor.gradient *= self._model.weights.flat.dtype.type(part)
            return float(part * loss)
        return self._one_by_one(batches, parts, carry)

    def run(self, batches: Sequence[Batch], *, carry: bool) -> float:
        """As `fill_gradient`, but as if the own shares were the whole batches."""
        count = min(shares(sequences_of(self._model, batch.inputs) or 1) for batch in batches)
        first, end = self._branch(count)
        first, end = (first, end) if first < end else (0, 1)
        loss = fill_gradient(self._model, batches, carry=carry, cut=partial(self._cut, first, end, count))
        self._answered = [(self._cut_off.inputs, predicted(self._model), 1)]
        return loss

    def measured(self) -> MetricAccumulator:
        """What was predicted of the own shares of the last batch, counted."""
        parts = [measured(self._model, *answered) for answered in self._answered]
        return add_in_pairs(parts) if parts else MetricAccumulator()

    def _weights(self, batch: Batch, size: int, count: int) -> list[float]:
        """Σ w of each share."""
        if not is_mean(self._model):
            return [1.0] * count
        each = weights_of_sequences(self._model, batch.inputs)
        return [float(each[columns(size, s, s + 1, count)].sum()) for s in range(count)]

    def _one_by_one(self, batches: Sequence[Batch], parts: Array, carry: bool) -> float:
        """The first share comes last: what the model then holds of it does not depend on who computes the others.

        A process without a share runs on the first, which then counts nothing, for it draws what all others draw.
        """
        executor, gradient, count = self._model.executor, self._model.executor.gradient, len(parts)
        first, end = self._branch(count)
        carried, drawn = executor.state, {name: rng.bit_generator.state for name, rng in self._rngs.items()}
        start = self._carried_by * first // count
        losses: list[Array] = []
        gradients: list[Array] = []
        states: list[dict[str, Array]] = []
        for s in reversed(range(first, end)) if first < end else (0,):
            for name, rng in self._rngs.items():
                rng.bit_generator.state = drawn[name]
            of_all = columns(self._carried_by, s, s + 1, count)
            own = slice(of_all.start - start, of_all.stop - start)
            executor.state = {name: state[own].copy() for name, state in carried.items() if first < end}
            loss = self._run(batches, s, s + 1, count, carry)
            losses.insert(0, np.array(parts[s] * loss))
            gradients.insert(0, gradient * gradient.dtype.type(parts[s]))
            states.insert(0, executor.state)
            answer = predicted(self._model)
            self._answered.insert(0, (self._cut_off.inputs, answer if answer is None else answer.copy(), 1))
            if not math.isfinite(loss):  # the model keeps what shows where that came from
                break
        executor.state = {name: np.concatenate([state[name] for state in states]) for name in states[0]}
        gradient[...] = add_in_pairs(gradients)
        if first < end:
            return float(add_in_pairs(losses))
        self._answered = []
        executor.state = {name: state[:0] for name, state in executor.state.items()}
        gradient[...] = -0.0  # added to a zero, it leaves its sign
        return 0.0

    def _run(self, batches: Sequence[Batch], first: int, end: int, count: int, carry: bool) -> float:
        """Forward and backward on these shares; the loss is NaN, and so is the gradient, where it is not finite."""
        try:
            with part_of_a_batch(end - first):
                return fill_gradient(self._model, batches, carry=carry, cut=partial(self._cut, first, end, count))
        except NumericsError:
            self._model.executor.gradient[...] = math.nan
            return math.nan

    def _cut(self, first: int, end: int, count: int, batch: Batch) -> Batch:
        """These shares of a batch, and of what is drawn for it."""
        size = sequences_of(self._model, batch.inputs) or 1
        own = columns(size, first, end, count)
        for rng in self._rngs.values():
            rng.columns, rng.batch = own, size
        self._cut_off = Batch(cut(self._model, batch.inputs, own), batch.reset_state)
        return self._cut_off


def are_added_at_once(model: Model, inputs: Mapping[str, Array]) -> bool:
    """Whether all own shares of such a batch are computed at once."""
    alike = not is_mean(model) or np.ptp(weights_of_sequences(model, inputs)) == 0
    return bool(alike) and _kernels_add_in_shares(model)


def _kernels_add_in_shares(model: Model) -> bool:
    """Whether kernels add up every gradient over shares; what several nodes use is added up node by node as well."""
    nodes, owners = model.graph.nodes, model.graph.owners
    return len(set(owners.values())) == len(nodes) and all(_is_added_in_shares(model, node) for node in nodes.values())


def _is_added_in_shares(model: Model, node: Node) -> bool:
    declared = node.declarations.values()
    weighs = "weights" in node.by_port or getattr(node.layer, "class_weights", None) is not None
    if weighs or not node.layer.is_own() or any(isinstance(item, Tied) for item in declared):
        return False
    if not any(isinstance(item, Param) for item in declared):  # each sequence is computed by itself
        return True
    mask = node.declarations.get("mask")  # of weights: it scales the gradient after that is added up
    return (mask is None or 0 in mask.shape) and is_compiled(node, "backward", model.weights.dtype)
