"""The sequences of a batch: how many there are, what each weighs, some of them, and what was predicted of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from minidl.generate.answers import answering_node
from minidl.graph.arrays import Array, Shape
from minidl.graph.sums import add_in_pairs, columns, shares
from minidl.graph.symbol import is_batch
from minidl.model import Model
from minidl.system.errors import UsageError
from minidl.training.metrics import MetricAccumulator, inside_of, loss_node, predicted, targets_of


def weights_of_sequences(model: Model, inputs: Mapping[str, Array]) -> Array:
    """Σ w of the targets of each sequence, of which a mean is taken; 1 each where the loss is given no targets.

    UsageError where the model computes the weights itself.
    """
    name = loss_node(model)
    node, sources, targets = model.graph.nodes[name], model.graph.sources(name), targets_of(model, inputs)
    if targets is None:
        return np.ones(sequences_of(model, inputs) or 1)
    axes = model.graph.inputs[sources[1]].shape
    counts: Array = targets >= 0 if targets.dtype.kind in "iu" else np.ones(targets.shape)
    of_class = getattr(node.layer, "class_weights", None)
    if of_class is not None and targets.dtype.kind in "iu":
        counts = counts * np.array(of_class)[targets]
    weights = dict(zip(node.ports, sources, strict=True)).get("weights")
    if weights is not None:
        if weights not in inputs:
            raise UsageError(f"{name}: its weights are no input, and their sum is not known before they are computed")
        given = model.graph.inputs[weights].shape
        sizes = [size if axis in given else 1 for axis, size in zip(axes, targets.shape, strict=True)]
        counts = counts * inputs[weights].reshape(sizes)
    inside = inside_of(model, inputs, len(targets))
    if inside is not ...:
        counts = counts * inside.reshape(inside.shape + (1,) * (counts.ndim - 2))
    others = tuple(i for i, axis in enumerate(axes) if not is_batch(axis))
    return np.atleast_1d(counts.sum(axis=others, dtype=np.float64))


def sequences_of(model: Model, inputs: Mapping[str, Array]) -> int:
    """How many sequences (B) a batch has; 0 where no input has an axis of them."""
    for name, array in inputs.items():
        for axis, size in zip(model.graph.inputs[name].shape, array.shape, strict=True):
            if is_batch(axis):
                return int(size)
    return 0


def cut(model: Model, inputs: Mapping[str, Array], own: slice) -> dict[str, Array]:
    """These sequences of a batch."""
    return {name: _cut(array, model.graph.inputs[name].shape, own) for name, array in inputs.items()}


def _cut(array: Array, axes: Shape, own: slice) -> Array:
    found: Array = array[tuple(own if is_batch(axis) else slice(None) for axis in axes)]
    return found


def measured(
    model: Model, inputs: Mapping[str, Array], predictions: Array | None = None, count: int | None = None
) -> MetricAccumulator:
    """What was predicted of a batch, or of a part that is so many shares of one: counted in shares, added in pairs.

    predictions: those of the last forward pass where none are given.
    """
    sequences, parts = sequences_of(model, inputs) or 1, []
    count = count or shares(sequences)
    predictions = predicted(model) if predictions is None else predictions
    for s in range(count):
        own, part = columns(sequences, s, s + 1, count), MetricAccumulator()
        shown = None if predictions is None else _cut(predictions, model.graph.nodes[answering_node(model)].shape, own)
        part.add(model, 0.0, cut(model, inputs, own), measures=shown is not None, predictions=shown)
        parts.append(part)
    return add_in_pairs(parts)
