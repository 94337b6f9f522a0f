"""The layers of a model, each tried by itself on what it is fed there."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minidl.graph.arrays import Array, Ids, Tied
from minidl.graph.layer import Layer, Node
from minidl.graph.symbol import Axis, Symbol
from minidl.model import Model
from minidl.testing.check_layer import Point, check_layer

FEW = {"T": 6, "B": 3}  # steps and sequences


def wrong_layers(model: Model, feeds: Mapping[str, ArrayLike]) -> list[str]:
    """What is wrong with each layer of a model: its name, the place of its class, and what it did.

    Left out is what cannot stand alone: a layer that shares weights of another, or reads its state.
    """
    return [line for name, layer, fed in layers_as_fed(model, feeds) for line in _tried(name, layer, fed)]


def layers_as_fed(model: Model, feeds: Mapping[str, ArrayLike]) -> Iterator[tuple[str, Layer, dict[str, Any]]]:
    """Each layer that can stand alone, with the name of its node, and what it is fed: some steps of some sequences."""
    twin = model.replica(dtype="float64")
    twin.forward(**feeds)
    values = twin.executor.values()
    tried: set[Layer] = set()
    for name, node in model.graph.nodes.items():
        sources = model.graph.sources(name)
        if node.layer in tried or not set(sources) <= values.keys() or not _stands_alone(node):
            continue
        if not all(np.isfinite(values[source]).all() for source in sources):  # the layer to blame is one before
            continue
        tried.add(node.layer)
        fed = zip(node.ports, sources, node.inputs, strict=True)
        yield name, node.layer, {port: _few(values[source], symbol) for port, source, symbol in fed}


def _tried(name: str, layer: Layer, fed: Mapping[str, Any]) -> list[str]:
    points = tried_alone(layer, fed)
    wrong = [point for point in points if not point.passed]
    own = type(layer).__module__.startswith("minidl.")
    if not wrong or (own and wrong[0].number == 0):  # a layer of minidl that is not made to stand alone
        return []
    what = "".join(f"\n  {point.name}: {point.wrong}" for point in wrong)
    return [f"the layer {name!r} ({type(layer).__name__}{_place(layer)}) is wrong:{what}"]


def tried_alone(layer: Layer, fed: Mapping[str, Any]) -> list[Point]:
    """The points of the contract, tried on a layer and what each of its inputs is fed."""
    return (
        check_layer(layer, *fed.values(), raises=False) if layer.variadic else check_layer(layer, raises=False, **fed)
    )


def _stands_alone(node: Node) -> bool:
    return node.layer.reads is None and not any(isinstance(item, Tied) for item in node.declarations.values())


def _few(value: Array, symbol: Symbol) -> Array:
    """Some steps of some sequences; of ids, the last one takes part, so that it is known how many there are."""
    axes = [axis.symbol if isinstance(axis, Axis) else "" for axis in symbol.shape]
    some = np.array(value[tuple(slice(FEW.get(axis)) for axis in axes)])
    if isinstance(symbol.shape, Ids):
        if symbol.shape.known_depth is None:
            return np.asarray(np.minimum(some, FEW["T"]))  # lengths
        some.flat[0] = symbol.shape.depth - 1
    return some


def _place(layer: Layer) -> str:
    try:
        _, line = inspect.getsourcelines(type(layer))
        return f", {inspect.getsourcefile(type(layer))}:{line}"
    except (OSError, TypeError):
        return ""
