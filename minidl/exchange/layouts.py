"""Weights by the names and in the shapes of another framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import layers
from minidl.graph.arrays import Param, Tied
from minidl.graph.layer import Layer
from minidl.graph.operations import split
from minidl.model import Model
from minidl.system.errors import UsageError, suggest

Array = NDArray[Any]
Arrays = dict[str, Array]
Convert = Callable[[Mapping[str, Array]], Arrays]


def keras_dense(w: Mapping[str, Array]) -> Arrays:
    """The same arrays."""
    return {"kernel": w["W"], **({"bias": w["b"]} if "b" in w else {})}


def keras_recurrent(w: Mapping[str, Array]) -> Arrays:
    """The same arrays, the gates of an LSTM in the same order."""
    return {"kernel": w["Wx"], "recurrent_kernel": w["Wh"], "bias": w["b"]}


def keras_gru(w: Mapping[str, Array]) -> Arrays:
    """Gates z, r, h for r, z, n, and both biases as rows of one array: GRU(reset_after=True)."""

    def ordered(array: Array) -> Array:
        r, z, n = split(array, 3)
        return np.concatenate([z, r, n], axis=-1)

    bias = np.stack([ordered(w["b"]), ordered(w["bh"])])
    return {"kernel": ordered(w["Wx"]), "recurrent_kernel": ordered(w["Wh"]), "bias": bias}


def torch_linear(w: Mapping[str, Array]) -> Arrays:
    """Transposed."""
    return {"weight": w["W"].T, **({"bias": w["b"]} if "b" in w else {})}


def torch_recurrent(w: Mapping[str, Array]) -> Arrays:
    """Transposed, gates in the same order; of two biases that are added the second is zero, but in a GRU."""
    biases = {"bias_ih_l0": w["b"], "bias_hh_l0": w.get("bh", np.zeros_like(w["b"]))}
    return {"weight_ih_l0": w["Wx"].T, "weight_hh_l0": w["Wh"].T, **biases}


# By layout: what stands between the names of a node and of its array, and how each layer's arrays are converted.
LAYOUTS: dict[str, tuple[str, dict[type[Layer], Convert]]] = {
    "keras": (
        "/",
        {
            layers.Dense: keras_dense,
            layers.Embedding: lambda w: {"embeddings": w["table"]},
            layers.GRU: keras_gru,
            layers.LSTM: keras_recurrent,
            layers.LayerNorm: lambda w: {"gamma": w["gain"], "beta": w["bias"]},
            layers.RNN: keras_recurrent,
        },
    ),
    "torch": (
        ".",
        {
            layers.Dense: torch_linear,
            layers.Embedding: lambda w: {"weight": w["table"]},
            layers.GRU: torch_recurrent,
            layers.LSTM: torch_recurrent,
            layers.LayerNorm: lambda w: {"weight": w["gain"], "bias": w["bias"]},
            layers.RNN: torch_recurrent,
        },
    ),
}
OWN = "minidl"
NAMES = (OWN, *LAYOUTS)


def arrays_in(model: Model, layout: str) -> Arrays:
    """The weights of a model in a layout; UsageError for a layer that it does not know.

    minidl: as `model.parameters`. keras: "lstm/kernel". torch: "lstm.weight_ih_l0", as a state_dict has it. A Dense
    that is tied gets a copy of the table that it shares.

    >>> from minidl import Input
    >>> model = Model(outputs={"y": layers.Dense(2, name="y")(Input("x", depth=3))})
    >>> {name: array.shape for name, array in arrays_in(model, "torch").items()}
    {'y.weight': (2, 3), 'y.bias': (2,)}
    """
    if layout == OWN:
        return dict(model.weights.arrays)
    if layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout!r}{suggest(layout, NAMES)} (known: {', '.join(NAMES)})")
    dot, converts = LAYOUTS[layout]
    found: Arrays = {}
    for name, node in model.graph.nodes.items():
        own = _own(model, name)
        if own and type(node.layer) not in converts:
            kind = node.layer.type_name()
            raise UsageError(f"node {name!r}: {layout} has no layout for {kind}; leave --layout out to keep our own")
        if own:
            found |= {f"{name}{dot}{key}": array for key, array in converts[type(node.layer)](own).items()}
    return found


def _own(model: Model, name: str) -> Arrays:
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
