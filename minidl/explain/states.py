"""What the recurrent layers of a model compute on one sequence: gates, states, outputs, step by step."""

from __future__ import annotations

import numpy as np

from minidl.explain.gates import gate_names
from minidl.explain.subject import Subject
from minidl.graph.arrays import Array
from minidl.layers import Reverse
from minidl.layers.cell import Cell
from minidl.model import Model


def read(subject: Subject, sequence: Array) -> None:
    """Run the model on one sequence, from states of zero."""
    subject.model.reset_state()
    subject.model.forward(**subject.feeds(sequence))


def recurrent_layers(subject: Subject) -> list[str]:
    """The recurrent nodes that the answer depends on."""
    graph = subject.model.graph
    needed = graph.needed_for([graph.ends[subject.output]])
    return [name for name, node in graph.nodes.items() if name in needed and isinstance(node.layer, Cell)]


def states_of(subject: Subject, sequence: Array) -> dict[str, Array]:
    """The state (T, H) of each recurrent layer after each step of a sequence: c of an LSTM, else h."""
    read(subject, sequence)
    return {
        name: computed(subject.model, name)["c" if _has_cell(subject.model, name) else "h"]
        for name in recurrent_layers(subject)
    }


def computed(model: Model, name: str) -> dict[str, Array]:
    """Gates, c and h (T, H) of the last forward pass of one sequence, in the order of the sequence; copies."""
    arrays = model.arrays
    gates = gate_names(model.graph.nodes[name].layer)
    found: dict[str, Array] = {}
    if gates:
        found |= zip(gates, np.split(arrays[f"{name}/gates"][:, 0], len(gates), axis=-1), strict=True)
    if _has_cell(model, name):
        found["c"] = arrays[f"{name}/c"][1:, 0]
    found["h"] = arrays[f"{name}/h"][1:, 0]
    step = -1 if is_reversed(model, name) else 1
    return {part: values[::step].copy() for part, values in found.items()}


def _has_cell(model: Model, name: str) -> bool:
    return "c" in model.graph.nodes[name].declarations


def is_reversed(model: Model, name: str) -> bool:
    """Whether a node reads the sequence from its end: the way to its input passes an odd number of reversals."""
    reversals = 0
    while name in model.graph.nodes:
        reversals += isinstance(model.graph.nodes[name].layer, Reverse)
        name = model.graph.sources(name)[0]
    return reversals % 2 == 1
