"""What TensorBoard's Histograms tab shows: weights, their gradients, and what each layer has just computed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidl.explain.gates import gate_names
from minidl.graph.arrays import Array, Out, State
from minidl.graph.sums import ROWS_OF_A_SHARE
from minidl.graph.symbol import is_batch
from minidl.model import Model

SHOWN = ROWS_OF_A_SHARE  # sequences of a batch: those that a process has of it, however many processes there are


def histograms(model: Model) -> Iterator[tuple[str, Array]]:
    """Arrays by tag, after a step of training.

    weights/NODE/ARRAY, and weights/NODE/ARRAY/gradient as the optimizer used it. values/NODE/ARRAY, of the first
    sequences: outputs y, gates one by one, and what else is carried from step to step, such as the cell state c.
    """
    for name, weights in model.parameters.items():
        yield f"weights/{name}", weights
        yield f"weights/{name}/gradient", model.gradients[name]
    for node in model.graph.nodes:
        read = within_lengths(model, node)
        for name, values in computed(model, node).items():
            if read is not None and values.shape[:2] == read.shape:
                values = values[read]
            if values.size > 1:
                yield f"values/{node}/{name}", values


def within_lengths(model: Model, node: str) -> Array | None:
    """Which steps (T, B) of a node's last values are none of padding; None where lengths say nothing of them.

    Lengths are those of the source that an encoder reads, if there is one: the steps of its decoder are others.
    """
    inputs = model.graph.inputs
    sequences = [name for name, symbol in inputs.items() if len(symbol.shape) >= 2]
    if "lengths" not in inputs or not sequences:
        return None
    ended = "source" if "source" in inputs else sequences[0]
    if model.graph.nodes[node].shape[:1] != inputs[ended].shape[:1]:
        return None
    steps = len(model.executor.input(ended))
    within: Array = np.arange(steps)[:, None] < model.executor.input("lengths")[:SHOWN]
    return within


def computed(model: Model, node: str) -> dict[str, Array]:
    """What the last forward pass left in a node, of the first sequences: output, gates, carried values of steps 1 to T.

    >>> from minidl.layers import LSTM
    >>> list(computed(Model.of(LSTM(3), np.zeros((5, 2, 4))), "lstm"))
    ['c', 'y', 'i', 'f', 'g', 'o']
    """
    declared, arrays = model.graph.nodes[node].declarations, model.arrays
    found: dict[str, Array] = {}
    for name, item in declared.items():
        if isinstance(item, Out) and f"{node}/{name}" in arrays:  # one-hot rows are not written out
            found[name] = arrays[f"{node}/{name}"]
        elif isinstance(item, State) and Out(declared["y"].shape, steps_of=name) != declared["y"]:
            found[name] = arrays[f"{node}/{name}"][1:]
    if names := gate_names(model.graph.nodes[node].layer):
        found |= zip(names, np.split(arrays[f"{node}/gates"], len(names), axis=-1), strict=True)
    axes = model.graph.nodes[node].shape
    first = tuple(slice(SHOWN) if is_batch(axis) else slice(None) for axis in axes)
    return {name: values[first] for name, values in found.items()}
