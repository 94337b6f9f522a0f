"""What a forward pass has left in the nodes of a model, for pictures and measures of the first sequences of a batch."""

from __future__ import annotations

import numpy as np

from minidl.explain.gates import gate_names
from minidl.graph.arrays import Array, Out, Shape, State
from minidl.graph.sums import ROWS_OF_A_SHARE
from minidl.graph.symbol import is_batch
from minidl.model import Model

SHOWN = ROWS_OF_A_SHARE  # sequences of a batch: those that a process has of it, however many processes there are


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


def ended_axes(model: Model) -> set[str]:
    """The axes of steps in which the input "lengths" says where sequences end: S of a source, T of most others.

    >>> from minidl import Input
    >>> from minidl.layers import LSTM
    >>> x, lengths = Input("x", depth=2), Input("lengths", dtype="int", shape=("B",))
    >>> ended_axes(Model(outputs={"y": LSTM(3)(x, lengths=lengths)}))
    {'T'}
    """
    return model.executor.feeds.within_axes.get("lengths", set())


def within_lengths(model: Model) -> dict[Shape, Array]:
    """Which steps (T, B) of the first sequences are none of padding, by the axis of steps; none without lengths."""
    ended, found = ended_axes(model), {}
    for name, symbol in model.graph.inputs.items():
        if len(symbol.shape) >= 2 and repr(symbol.shape[0]) in ended:
            steps = np.arange(len(model.executor.input(name)))
            found[symbol.shape[:1]] = steps[:, None] < model.executor.input("lengths")[:SHOWN]
    return found
