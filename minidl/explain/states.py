"""What the recurrent layers of a model compute on one sequence: gates, states, outputs, step by step."""

from __future__ import annotations

from minidl.explain.gates import gate_names
from minidl.explain.subject import Subject
from minidl.explain.values import computed
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
        name: traces(subject.model, name)["c" if _has_cell(subject.model, name) else "h"]
        for name in recurrent_layers(subject)
    }


def traces(model: Model, name: str) -> dict[str, Array]:
    """Gates, c and h (T, H) of the last forward pass of one sequence, in the order of the sequence; copies."""
    values = computed(model, name)
    parts = [*gate_names(model.graph.nodes[name].layer), *(["c"] if _has_cell(model, name) else [])]
    found = {**{part: values[part] for part in parts}, "h": values.get("h", values["y"])}
    step = -1 if is_reversed(model, name) else 1
    return {part: array[::step, 0].copy() for part, array in found.items()}


def _has_cell(model: Model, name: str) -> bool:
    return "c" in model.graph.nodes[name].declarations


def is_reversed(model: Model, name: str) -> bool:
    """Whether a node reads the sequence from its end: the way to its input passes an odd number of reversals."""
    reversals = 0
    while name in model.graph.nodes:
        reversals += isinstance(model.graph.nodes[name].layer, Reverse)
        name = model.graph.sources(name)[0]
    return reversals % 2 == 1
