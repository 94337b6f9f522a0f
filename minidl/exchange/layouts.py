"""Weights by the names and in the shapes of another framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from minidl import layers
from minidl.exchange import keras_layout, torch_layout
from minidl.exchange.stacks import stacks
from minidl.exchange.units import Arrays
from minidl.graph.arrays import Array, Param, Tied
from minidl.graph.layer import Layer
from minidl.layers.cell import Cell
from minidl.model import Model
from minidl.system.errors import UsageError, suggest

Convert = Callable[[Mapping[str, Array]], Arrays]

# By layout: what stands between the names of a node and of its array, and how each layer's arrays are converted.
LAYOUTS: dict[str, tuple[str, dict[type[Layer], Convert]]] = {
    "keras": (
        "/",
        {
            layers.Dense: keras_layout.dense,
            layers.Embedding: lambda w: {"embeddings": w["table"]},
            layers.GRU: keras_layout.gru,
            layers.LSTM: keras_layout.recurrent,
            layers.LayerNorm: keras_layout.norm,
            layers.RNN: keras_layout.recurrent,
        },
    ),
    "torch": (
        ".",
        {
            layers.Dense: torch_layout.linear,
            layers.Embedding: lambda w: {"weight": w["table"]},
            layers.GRU: torch_layout.recurrent,
            layers.LSTM: torch_layout.recurrent,
            layers.LayerNorm: torch_layout.norm,
            layers.RNN: torch_layout.recurrent,
        },
    ),
}
# Weights of some layers that a framework has no place for.
WITHOUT = {"keras": {"p": "peepholes", "Wp": "projection"}, "torch": {"p": "peepholes"}}
OWN = "minidl"
NAMES = (OWN, *LAYOUTS)


def arrays_in(model: Model, layout: str) -> Arrays:
    """The weights of a model in a layout; UsageError for a layer that it does not know.

    minidl: as `model.parameters`. keras: "lstm/kernel". torch: "lstm.weight_ih_l0", as a state_dict has it; recurrent
    layers of one kind and size that stand on each other, and the halves of a Bidirectional, are one module: _l1,
    _reverse. A Dense that is tied gets a copy of the table that it shares.

    >>> from minidl import Input
    >>> model = Model(outputs={"y": layers.Dense(2, name="y")(Input("x", depth=3))})
    >>> {name: array.shape for name, array in arrays_in(model, "torch").items()}
    {'y.weight': (2, 3), 'y.bias': (2,)}
    """
    check_layout(layout)
    if layout == OWN:
        return dict(model.weights.arrays)
    dot, found = LAYOUTS[layout][0], {}
    modules = stacks(model.graph) if layout == "torch" else {}
    for name, arrays in layer_arrays(model, layout).items():
        module, level, end = modules.get(name, (name, 0, ""))
        for key, array in arrays.items():
            place = f"{key.removesuffix('_l0')}_l{level}{end}" if name in modules else key
            found[f"{module}{dot}{place}"] = array
    return found


OURS = "leave --layout out, with --format safetensors, to keep our own"


def layer_arrays(model: Model, layout: str) -> dict[str, Arrays]:
    """The arrays of each node that holds weights, by their names in its layer there."""
    converts, found = LAYOUTS[layout][1], {}
    for name, node in model.graph.nodes.items():
        own = own_arrays(model, name)
        if own and type(node.layer) not in converts:
            raise UsageError(f"node {name!r}: {layout} has no layout for {node.layer.type_name()}; {OURS}")
        lacking = [option for array, option in WITHOUT[layout].items() if array in own and isinstance(node.layer, Cell)]
        if lacking:
            said = f"{layout} has no {node.layer.type_name()} with {lacking[0]}"
            raise UsageError(f"node {name!r}: {said}; {OURS}")
        if own:
            found[name] = converts[type(node.layer)](own)
    return found


def check_layout(layout: Any) -> None:
    """Refuse a layout that there is not."""
    if not isinstance(layout, str) or layout not in NAMES:
        near = suggest(str(layout), NAMES)
        raise UsageError(f"there is no layout {layout!r}{near} (known: {', '.join(NAMES)})")


def own_arrays(model: Model, name: str) -> Arrays:
    """The weights of a node by their names in its layer; none where another node holds them."""
    if model.graph.owners[name] != name:
        return {}
    found = {}
    for array, declared in model.graph.nodes[name].declarations.items():
        if isinstance(declared, Tied):
            found[array] = model.weights.arrays[f"{model.graph.owners[declared.node]}/{declared.array}"].T
        elif isinstance(declared, Param):
            found[array] = model.weights.arrays[f"{name}/{array}"]
    return found
