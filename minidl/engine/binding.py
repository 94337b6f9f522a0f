"""A layer's function bound to its arrays: what forward and backward programs are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.engine.dispatch import Call, arguments, implementation
from minidl.engine.parameters import Parameters
from minidl.graph.arrays import Declaration, Param, Workspace
from minidl.graph.graph import Graph
from minidl.graph.layer import Node, offered_arrays
from minidl.system.blame import remark

Array = NDArray[Any]


@dataclass(frozen=True)
class Context:
    """What a program is bound to besides shapes: weights, where gradients go, how to run.

    caches: whether what layers keep for the way back stays there; without them the nodes share that memory.
    """

    graph: Graph
    weights: Parameters
    gradients: Mapping[str, Array]
    training: bool
    caches: bool
    rngs: Mapping[str, np.random.Generator]
    input_gradients: bool

    @property
    def dtype(self) -> DTypeLike:
        """Of weights and everything computed with them."""
        return self.weights.dtype


def workspaces(
    node: Node, declared: Mapping[str, Declaration], function: str, dtype: DTypeLike, also: Collection[str] = ()
) -> list[str]:
    """The workspaces among declarations that a layer's function, or its compiled twin, asks for.

    also: gradients of states that the function is given, and its twin may not know.
    """
    rooms = [name for name, item in declared.items() if isinstance(item, Workspace)]
    if not rooms:  # as for most layers: whether there is a twin takes a while to find out
        return []
    twin = _twin(node, function, dtype, also)
    asked = node.layer.arguments(function) if twin is None else arguments(twin)
    return [name for name in rooms if name in asked]


def dispensable(node: Node, dtype: DTypeLike) -> set[str]:
    """What a compiled twin can do without on the way forward; nothing of a layer's own method."""
    twin = _twin(node, "forward", dtype, ())
    return set() if twin is None else set(arguments(twin)).difference(arguments(twin, required=True))


def bind(node: Node, function: str, arrays: Mapping[str, Any], dtype: DTypeLike, also: Collection[str] = ()) -> Call:
    """A layer's function, or its compiled twin, with its arguments in place."""
    twin = _twin(node, function, dtype, also)
    if twin is not None:
        return twin(node.layer, **{name: arrays[name] for name in arguments(twin) if name in arrays})
    given = {name: arrays[name] for name in node.layer.arguments(function)}
    if node.layer.takes_all(function):
        rooms = {name for name, item in node.declarations.items() if isinstance(item, Workspace)}
        given = {name: array for name, array in arrays.items() if name not in rooms} | given
    return partial(getattr(node.layer, function), **given)


def is_compiled(node: Node, function: str, dtype: DTypeLike) -> bool:
    """Whether a compiled twin takes the place of this function of a layer."""
    return _twin(node, function, dtype, ()) is not None


def _twin(node: Node, function: str, dtype: DTypeLike, also: Collection[str]) -> Callable[..., Call] | None:
    """The compiled twin, where it knows all weights and inputs that this node has, and needs no others."""
    kind = type(node.layer)
    if not node.layer.has_twin(node.by_port):
        return None
    run = implementation(kind, function, dtype)
    if run is getattr(kind, function):
        return None
    offered, needed = offered_arrays(node.layer, node.declarations, function), set(also)
    trained = [name for name, item in node.declarations.items() if isinstance(item, Param)]
    optional = [port for port, spec in node.specs.items() if spec.optional]
    if function == "forward":
        needed.update(trained, optional)
    else:
        needed.update(f"d{name}" for name in trained)
        needed.update(port if node.specs[port].dtype == "int" else f"d{port}" for port in optional)
    fits = needed <= set(arguments(run)) and set(arguments(run, required=True)) <= offered
    return run if fits else None


def carry_out(calls: Sequence[tuple[str, Call]], function: str) -> None:
    """One call after another; an error of a layer's own code passes through, with a line that names the node."""
    node = ""
    try:
        for node, call in calls:  # noqa: B007  read where a call fails
            call()
    except SystemExit as error:  # would end a run that is not done as if it were
        ended = RuntimeError(f"{function} of the node {node!r} ends the program (SystemExit): {error}")
        raise ended.with_traceback(error.__traceback__) from None
    except Exception as error:
        remark(error, f"in {function} of the node {node!r}")
        raise
