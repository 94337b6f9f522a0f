"""A graph as the page's script runs it: nodes as plain data, and their weights. What it cannot run is refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.explain.states import is_reversed
from minidl.explain.subject import Subject
from minidl.graph.arrays import Array, Param, Tied
from minidl.graph.layer import Node
from minidl.layers.cell import Cell
from minidl.model import Model
from minidl.system.errors import UsageError

Arrays = dict[str, Array]
Places = dict[str, tuple[int, int]]

# Layers that layers.js has, with the settings that it knows; others have to be as they are by default.
RUNS: dict[str, tuple[str, ...]] = {
    "OneHot": (),
    "Embedding": ("units", "dropout"),
    "Dense": ("units", "tied_to", "bias"),
    "Activation": ("kind",),
    "Dropout": ("rate", "same_at_every_step"),
    "LayerNorm": ("eps",),
    "RNN": ("units", "activation", "dropout", "recurrent_dropout", "bias"),
    "GRU": ("units", "dropout", "recurrent_dropout", "bias"),
    "LSTM": ("units", "dropout", "recurrent_dropout", "bias"),
    "Attention": ("heads", "causal"),
    "AdditiveAttention": ("causal",),
    "Pool": ("kind",),
    "Multiply": (),
    "Add": (),
    "Concat": (),
    "Reverse": (),
    "Last": (),
}
LENGTHS = {"lengths", "query_lengths"}
FED = {"x", "ids", "query", "keys", "values"}  # the inputs of layers that the page can feed


def nodes_of(subject: Subject) -> list[dict[str, Any]]:
    """The nodes that the output depends on, in the order in which they run."""
    model = subject.model
    needed = model.graph.needed_for([model.graph.ends[subject.output]])
    nodes = {name: node for name, node in model.graph.nodes.items() if name in needed}
    if not any(isinstance(node.layer, Cell) for node in nodes.values()):
        raise UsageError("the page shows recurrent layers, and this model has none")
    return [_node(model, name, node) for name, node in nodes.items()]


def weights_of(subject: Subject) -> tuple[Arrays, Places]:
    """The trained arrays of those nodes by "node/array", and where each begins and how many numbers it has."""
    model = subject.model
    arrays: Arrays = {}
    for node in nodes_of(subject):
        name = node["owner"]
        for array, declared in model.graph.nodes[name].declarations.items():
            if isinstance(declared, Param):
                arrays[f"{name}/{array}"] = model.weights.arrays[f"{name}/{array}"]
    ends = np.cumsum([array.size for array in arrays.values()]).tolist()
    places = {name: (end - array.size, array.size) for (name, array), end in zip(arrays.items(), ends, strict=True)}
    return arrays, places


def _node(model: Model, name: str, node: Node) -> dict[str, Any]:
    layer = node.layer
    settings = {key: value for key, value in layer.config().items() if key not in ("name", "type")}
    kind = type(layer).__name__
    if kind not in RUNS or not type(layer).__module__.startswith("minidl."):
        raise UsageError(f"the page cannot run {kind} (node {name!r}); it runs {', '.join(RUNS)}")
    changed = {key for key, value in settings.items() if value != _default(layer, key)}
    strange = sorted(changed.difference(RUNS[kind]))
    if strange:
        raise UsageError(f"the page cannot run {kind} with {', '.join(strange)} (node {name!r})")
    inputs = _sequences(model, name)
    return {
        "type": kind,
        "name": name,
        "owner": model.graph.owners[name],
        "inputs": inputs,
        **{key: getattr(layer, key) for key in RUNS[kind]},
        **_tied(model, node),
        "reversed": is_reversed(model, name),
    }


def _default(layer: Any, key: str) -> Any:
    found = type(layer).__dataclass_fields__.get(key)
    return None if found is None else found.default


def _sequences(model: Model, name: str) -> list[str]:
    """What feeds a node, without the lengths, which the page does not need: it reads one sequence at a time."""
    node = model.graph.nodes[name]
    fed = dict(zip(node.ports, model.graph.sources(name), strict=True))
    kept = {port: source for port, source in fed.items() if port not in LENGTHS}
    strange = set(kept) - FED if not node.layer.variadic else set()
    if strange:
        raise UsageError(f"the page cannot run {type(node.layer).__name__} with {', '.join(strange)} (node {name!r})")
    return list(kept.values())


def _tied(model: Model, node: Node) -> dict[str, str]:
    """A weight matrix that is another node's, transposed."""
    tied = [declared for declared in node.declarations.values() if isinstance(declared, Tied)]
    return {"tied": f"{model.graph.owners[tied[0].node]}/{tied[0].array}"} if tied else {}
