"""The shares of a batch that one process computes: the sum of their gradients does not depend on who computes which.

A batch is cut into shares of whole sequences that depend on the batch alone (`minidl.engine.threads.shares`), and their
gradients are added in pairs. Compiled kernels do so by themselves: what they compute alone is computed at once, to the
bits of a run that knows of no shares. All else is computed one share after the other: the last bits of a product of
NumPy depend on how many rows it has, and targets that weigh differently share a mean otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.batches import Batch
from minidl.engine.binding import is_compiled
from minidl.graph.arrays import Param, Tied
from minidl.graph.layer import Node
from minidl.graph.symbol import Axis
from minidl.model import Model
from minidl.system.errors import NumericsError, UsageError
from minidl.training.gradient import fill_gradient
from minidl.training.metrics import inside_of, is_mean, loss_node, targets_of
from minidl.training.whole_batch import WholeBatch

Array = NDArray[Any]


def branches(processes: int, count: int) -> list[tuple[int, int]]:
    """Which shares each process computes: (first, end) of a branch of the tree in which shares are added in pairs.

    >>> branches(1, 4), branches(3, 4)
    ([(0, 4)], [(0, 1), (1, 2), (2, 4)])
    """
    if processes == 1:
        return [(0, count)]
    left, half = (processes + 1) // 2, count // 2
    return branches(left, half) + [(half + a, half + b) for a, b in branches(processes - left, half)]


def add_in_pairs(parts: Sequence[Array]) -> Array:
    """The sum of what shares or processes have, in the order of the tree.

    >>> float(add_in_pairs([np.array(1.0), np.array(2.0), np.array(4.0)]))
    7.0
    """
    if len(parts) == 1:
        return parts[0]
    left = (len(parts) + 1) // 2
    total: Array = add_in_pairs(parts[:left]) + add_in_pairs(parts[left:])
    return total


class Shares:
    """Shares `first` to `end` of the `count` of a batch of so many sequences.

    columns: the sequences in all of them.
    """

    def __init__(self, model: Model, batch: int, count: int, first: int, end: int) -> None:
        self._model, self._first, self._end = model, first, end
        self._each = [slice(batch * s // count, batch * (s + 1) // count) for s in range(count)]
        self.columns = slice(self._each[first].start, self._each[end - 1].stop)
        rngs: dict[str, Any] = model.executor.rngs
        rngs |= {name: WholeBatch(rngs[name], node, self.columns, batch) for name, node in model.graph.nodes.items()}
        self._rngs = rngs
        self._at_once = batch % count == 0 and _adds_in_shares(model)

    def fill_gradient(self, batches: Sequence[Batch], *, carry: bool) -> tuple[float, Batch]:
        """The part of these shares in the gradient of whole batches is left in the model.

        Returns their part in the loss, and the sequences that the model has run on last.
        """
        weights = np.array([[self._weight(cut(self._model, batch, s)) for s in self._each] for batch in batches])
        parts = weights.sum(axis=0) / (math.fsum(weights.flat) or 1.0)
        if not is_mean(self._model):
            parts[...] = 1.0
        if not self._at_once or (weights != weights[:, :1]).any():
            return self._one_by_one(batches, parts, carry)
        loss, last = self._run(batches, self.columns, carry)
        part = parts[self._first : self._end].sum() if is_mean(self._model) else 1.0
        self._model.executor.gradient *= self._model.weights.flat.dtype.type(part)
        return float(part * loss), last

    def check(self, inputs: Mapping[str, Array]) -> None:
        """UsageError where it cannot be known before a step what targets weigh."""
        self._weight(Batch(dict(inputs), reset_state=True))

    def _weight(self, batch: Batch) -> float:
        return weight_of_targets(self._model, batch.inputs) if is_mean(self._model) else 1.0

    def _one_by_one(self, batches: Sequence[Batch], parts: Array, carry: bool) -> tuple[float, Batch]:
        """The first share comes last: what the model then holds of it does not depend on who computes the others."""
        executor, gradient = self._model.executor, self._model.executor.gradient
        carried, drawn = executor.state, {name: rng.bit_generator.state for name, rng in self._rngs.items()}
        losses: list[Array] = []
        gradients: list[Array] = []
        states: list[dict[str, Array]] = []
        for s in reversed(range(self._first, self._end)):
            own = slice(self._each[s].start - self.columns.start, self._each[s].stop - self.columns.start)
            executor.state = {name: state[own].copy() for name, state in carried.items()}
            for name, rng in self._rngs.items():
                rng.bit_generator.state = drawn[name]
            loss, last = self._run(batches, self._each[s], carry)
            losses.insert(0, np.array(parts[s] * loss))
            gradients.insert(0, gradient * gradient.dtype.type(parts[s]))
            states.insert(0, executor.state)
            if not math.isfinite(loss):  # the model keeps what shows where that came from
                break
        executor.state = {
            name: np.zeros((self.columns.stop - self.columns.start, *state.shape[1:]), state.dtype)
            if len(states) < self._end - self._first
            else np.concatenate([state_of_share[name] for state_of_share in states])
            for name, state in states[0].items()
        }
        gradient[...] = add_in_pairs(gradients)
        return float(add_in_pairs(losses)), last

    def _run(self, batches: Sequence[Batch], columns: slice, carry: bool) -> tuple[float, Batch]:
        """Forward and backward on these sequences; the loss is NaN, and so is the gradient, where it is not finite."""
        for rng in self._rngs.values():
            rng.columns = columns
        own = [cut(self._model, batch, columns) for batch in batches]
        try:
            return fill_gradient(self._model, own, carry=carry), own[-1]
        except NumericsError:
            self._model.executor.gradient[...] = math.nan
            return math.nan, own[-1]


def weight_of_targets(model: Model, inputs: Mapping[str, Array]) -> float:
    """Σ w, over which a mean is taken: of targets that count, or of sequences where the loss is given no targets.

    UsageError where the model computes the weights itself.
    """
    name = loss_node(model)
    node, sources, targets = model.graph.nodes[name], model.graph.sources(name), targets_of(model, inputs)
    if targets is None:
        return float(sequences_of(model, inputs) or 1)
    counts: Array = targets >= 0 if targets.dtype.kind in "iu" else np.ones(targets.shape)
    of_class = getattr(node.layer, "class_weights", None)
    if of_class is not None and targets.dtype.kind in "iu":
        counts = counts * np.array(of_class)[targets]
    weights = dict(zip(node.ports, sources, strict=True)).get("weights")
    if weights is not None:
        if weights not in inputs:
            raise UsageError(f"{name}: its weights are no input, and their sum is not known before they are computed")
        own, axes = model.graph.inputs[weights].shape, model.graph.inputs[sources[1]].shape
        sizes = [size if axis in own else 1 for axis, size in zip(axes, targets.shape, strict=True)]
        counts = counts * inputs[weights].reshape(sizes)
    return float(counts[inside_of(model, inputs, len(targets))].sum())


def sequences_of(model: Model, inputs: Mapping[str, Array]) -> int:
    """How many sequences (B) a batch has; 0 where no input has an axis of them."""
    for name, array in inputs.items():
        for axis, size in zip(model.graph.inputs[name].shape, array.shape, strict=True):
            if _is_batch(axis):
                return int(size)
    return 0


def cut(model: Model, batch: Batch, columns: slice) -> Batch:
    """These sequences of a batch."""
    shapes = {name: model.graph.inputs[name].shape for name in batch.inputs}
    places = {name: tuple(columns if _is_batch(axis) else slice(None) for axis in shapes[name]) for name in shapes}
    return Batch({name: array[places[name]] for name, array in batch.inputs.items()}, batch.reset_state)


def _is_batch(axis: int) -> bool:
    """Whether an axis is that of sequences."""
    return isinstance(axis, Axis) and axis.symbol == "B"


def _adds_in_shares(model: Model) -> bool:
    """Whether kernels add up every gradient over shares; what several nodes use is added up node by node as well."""
    nodes, owners = model.graph.nodes, model.graph.owners
    return len(set(owners.values())) == len(nodes) and all(_is_added_in_shares(model, node) for node in nodes.values())


def _is_added_in_shares(model: Model, node: Node) -> bool:
    declared = node.declarations.values()
    if not node.layer.is_own() or any(isinstance(item, Tied) for item in declared):
        return False
    if not any(isinstance(item, Param) for item in declared):  # each sequence is computed by itself
        return True
    masked = getattr(node.layer, "recurrent_dropout", 0)  # scales the gradient after it is added up
    return not masked and is_compiled(node, "backward", model.weights.dtype)
