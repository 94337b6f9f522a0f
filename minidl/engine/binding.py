"""A layer's function bound to its arrays: what forward and backward programs are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.engine.dispatch import Call, arguments, implementation
from minidl.engine.parameters import Parameters
from minidl.graph.graph import Graph
from minidl.graph.layer import Node

Array = NDArray[Any]


@dataclass(frozen=True)
class Context:
    """What a program is bound to besides shapes: weights, where gradients go, how to run."""

    graph: Graph
    weights: Parameters
    gradients: Mapping[str, Array]
    training: bool
    rngs: Mapping[str, np.random.Generator]
    input_gradients: bool

    @property
    def dtype(self) -> DTypeLike:
        """Of weights and everything computed with them."""
        return self.weights.flat.dtype


def asked_for(node: Node, function: str, dtype: DTypeLike) -> list[str]:
    """The arrays that a layer's function, or its compiled twin, works on."""
    twin = _twin(node, function, dtype)
    return node.layer.arguments(function) if twin is None else arguments(twin)


def bind(node: Node, function: str, arrays: Mapping[str, Any], dtype: DTypeLike) -> Call:
    """A layer's function, or its compiled twin, with its arguments in place."""
    given = {name: arrays[name] for name in asked_for(node, function, dtype)}
    twin = _twin(node, function, dtype)
    return partial(getattr(node.layer, function), **given) if twin is None else twin(node.layer, **given)


def _twin(node: Node, function: str, dtype: DTypeLike) -> Callable[..., Call] | None:
    kind = type(node.layer)
    if not node.layer.has_twin(node.by_port):
        return None
    run = implementation(kind, function, dtype)
    return None if run is getattr(kind, function) else run
