"""A graph bound to shapes and memory: the calls of a forward pass, and of a backward pass from given results.

Layers assign; what has to be added up is added here: the gradients of a node that feeds several others, and of
parameters that several nodes share.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.graph import Graph
from minidl.layer import Cache, Carried, Declaration, Out, Param, Scratch, Shape, Tied
from minidl.memory import Arena, Request, Ruler
from minidl.node import Node
from minidl.ops import OneHotRows
from minidl.parameters import Parameters

Array = NDArray[Any]
Call = Callable[[], None]


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


class Forward:
    """The forward calls for inputs of these shapes; nodes whose inputs are not all given are left out."""

    def __init__(self, context: Context, shapes: Mapping[str, Shape], arena: Arena | Ruler) -> None:
        self.context, self.shapes = context, dict(shapes)
        self.declared = specialise(context.graph, shapes)
        self.looked_up = {name for name in self.declared if is_looked_up(context.graph, name)}
        memory = arena.take(self._requests())
        self.values: dict[str, Any] = {name: memory[name, "y"] for name in shapes}
        self.arrays: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, Call]] = []
        for name in self.declared:
            self._bind(name, memory)
        self.carried = list(self._carried())

    def _carried(self) -> Iterable[tuple[str, Array, Array | None]]:
        """Each carried array by "node/array", with the lengths of its sequences where they are given."""
        for name, declared in self.declared.items():
            for array, item in declared.items():
                if isinstance(item, Carried):
                    yield f"{name}/{array}", self.arrays[name][array], self.arrays[name].get("lengths")

    def _requests(self) -> dict[Hashable, Request]:
        end = len(self.declared)
        requests: dict[Hashable, Request] = {
            (name, "y"): Request(shape, self._input_dtype(name), 0, end) for name, shape in self.shapes.items()
        }
        for i, (name, declared) in enumerate(self.declared.items()):
            wanted = self.context.graph.nodes[name].layer.arguments("forward")
            for array, item in declared.items():
                if isinstance(item, Scratch) and array in wanted:
                    requests[name, array] = Request(item.shape, self.context.dtype, i, i)
                elif isinstance(item, Carried) or self._is_written(name, item):
                    requests[name, array] = Request(item.shape, self.context.dtype, 0, end)
                elif isinstance(item, Cache):
                    requests[name, array] = Request(item.shape, item.dtype or self.context.dtype, 0, end)
        return requests

    def _is_written(self, name: str, item: Declaration) -> bool:
        return isinstance(item, Out) and item.steps_of is None and name not in self.looked_up

    def _input_dtype(self, name: str) -> DTypeLike:
        return np.int64 if self.context.graph.inputs[name].dtype == "int" else self.context.dtype

    def _bind(self, name: str, memory: Mapping[Hashable, Array]) -> None:
        context, node = self.context, self.context.graph.nodes[name]
        arrays: dict[str, Any] = self._inputs(name)
        for array, item in self.declared[name].items():
            if isinstance(item, Param):
                arrays[array] = context.weights.arrays[f"{context.graph.owners[name]}/{array}"]
            elif isinstance(item, Tied):
                arrays[array] = context.weights.arrays[f"{context.graph.owners[item.node]}/{item.array}"].T
            elif (name, array) in memory:
                arrays[array] = memory[name, array]
        out = self.declared[name]["y"]
        if isinstance(out, Out) and out.steps_of is not None:
            arrays["y"] = arrays[out.steps_of][1:]
        self.arrays[name] = arrays
        if name in self.looked_up:
            self.values[name] = OneHotRows(self._fed(name)[0], out.shape[-1])
        else:
            self.values[name] = arrays["y"]
            self.calls.append((name, bind(node, "forward", {**arrays, **self._services(name)})))

    def _inputs(self, name: str) -> dict[str, Any]:
        layer = self.context.graph.nodes[name].layer
        fed = self._fed(name)
        if layer.variadic:
            return {"xs": fed}
        ports = list(layer.inputs)
        return dict(zip(ports, fed + [None] * (len(ports) - len(fed)), strict=True))

    def _fed(self, name: str) -> list[Any]:
        return [self.values[source] for source in self.context.graph.sources(name)]

    def _services(self, name: str) -> dict[str, Any]:
        return {"training": self.context.training, "rng": self.context.rngs.get(name)}


class Backward:
    """The backward calls from gradients of some results (`seeds`) to all parameters, and to inputs where asked for."""

    def __init__(self, forward: Forward, seeds: Iterable[str], arena: Arena | Ruler) -> None:
        self.forward, self.context = forward, forward.context
        graph = self.context.graph
        self.wanted = wanted(graph, self.context.input_gradients)
        self.order = reachable(graph, seeds, self.wanted)
        self.parts: dict[str, list[tuple[str, int]]] = {}  # source -> the consumers' inputs that hold its gradient
        for name in self.order:
            for i, source in enumerate(graph.sources(name)):
                if source in self.wanted:
                    self.parts.setdefault(source, []).append((name, i))
        self.users = self._parameter_users()
        self.memory = arena.take(self._requests(set(seeds)))
        self.seeds = {name: self.memory[name, "seed"] for name in seeds if (name, "seed") in self.memory}
        self.calls = [call for name in self.order for call in self._node_calls(name)]
        self.calls += [("sum", self._sum_call(self._parts_of(name))) for name in self.input_gradients()]
        self.calls += [("sum", partial(add_up, parts, total)) for parts, total in self._shared_gradients()]
        self.untouched = [grad for name, grad in self.context.gradients.items() if name not in self.users]

    def input_gradients(self) -> list[str]:
        """The inputs whose gradient comes out."""
        return [name for name in self.context.graph.inputs if name in self.parts]

    def gradient(self, name: str) -> Array:
        """Where the gradient of a node or an input stands after the calls."""
        return self._parts_of(name)[0]

    def _parameter_users(self) -> dict[str, list[tuple[str, str]]]:
        users: dict[str, list[tuple[str, str]]] = {}
        for name in self.order:
            for array, item in self.forward.declared[name].items():
                if isinstance(item, Param):
                    users.setdefault(f"{self.context.graph.owners[name]}/{array}", []).append((name, array))
                elif isinstance(item, Tied):
                    owner = self.context.graph.owners[item.node]
                    users.setdefault(f"{owner}/{item.array}", []).append((name, array))
        return users

    def _requests(self, seeds: set[str]) -> dict[Hashable, Request]:
        graph, dtype, end = self.context.graph, self.context.dtype, len(self.order)
        at = {name: i for i, name in enumerate(self.order)}
        requests: dict[Hashable, Request] = {}
        for name, i in at.items():
            if name in seeds:
                requests[name, "seed"] = Request(self._shape(name), dtype, -1, i)
            for port, source in enumerate(graph.sources(name)):
                if source in self.wanted:
                    requests[name, port] = Request(self._shape(source), dtype, i, at.get(source, end))
            asked = graph.nodes[name].layer.arguments("backward")
            for array, item in self.forward.declared[name].items():
                if isinstance(item, Scratch) and array in asked:
                    requests[name, array] = Request(item.shape, dtype, i, i)
        for users in self.users.values():
            for name, array in users if self._is_shared(users) else ():
                shape = self.forward.arrays[name][array].shape
                requests[name, "d" + array] = Request(shape, dtype, at[name], end)
        return requests

    def _shape(self, name: str) -> Shape:
        return self.forward.arrays[name]["y"].shape if name in self.forward.arrays else self.forward.shapes[name]

    def _is_shared(self, users: list[tuple[str, str]]) -> bool:
        return len(users) > 1 or isinstance(self.forward.declared[users[0][0]][users[0][1]], Tied)

    def _parts_of(self, name: str) -> list[Array]:
        seed = [self.memory[name, "seed"]] if (name, "seed") in self.memory else []
        return seed + [self.memory[part] for part in self.parts.get(name, [])]

    def _node_calls(self, name: str) -> list[tuple[str, Call]]:
        node, parts = self.context.graph.nodes[name], self._parts_of(name)
        layer, sources = node.layer, self.context.graph.sources(name)
        given = [self.memory.get((name, i)) for i in range(len(sources))]
        arrays = {**self.forward.arrays[name], "dy": parts[0]}
        if layer.variadic:
            arrays["dxs"] = given
        else:
            ports = list(layer.inputs)
            arrays |= dict(zip([f"d{port}" for port in ports], given + [None] * len(ports), strict=False))
        for array, item in self.forward.declared[name].items():
            if isinstance(item, Scratch) and (name, array) in self.memory:
                arrays[array] = self.memory[name, array]
            elif isinstance(item, (Param, Tied)):
                arrays["d" + array] = self._parameter_gradient(name, array)
        call = (name, bind(node, "backward", {**arrays, **self.forward._services(name)}))
        return [("sum", self._sum_call(parts)), call] if len(parts) > 1 else [call]

    def _parameter_gradient(self, name: str, array: str) -> Array:
        if (name, "d" + array) in self.memory:
            return self.memory[name, "d" + array]
        return self.context.gradients[f"{self.context.graph.owners[name]}/{array}"]

    def _sum_call(self, parts: list[Array]) -> Call:
        return partial(add_up, parts[1:], parts[0], True)

    def _shared_gradients(self) -> Iterable[tuple[list[Array], Array]]:
        for key, users in self.users.items():
            if self._is_shared(users):
                yield [self._as_owned(name, array) for name, array in users], self.context.gradients[key]

    def _as_owned(self, name: str, array: str) -> Array:
        part = self.memory[name, "d" + array]
        return part.T if isinstance(self.forward.declared[name][array], Tied) else part


def specialise(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, dict[str, Declaration]]:
    """The declarations of every node that can be computed from inputs of these shapes."""
    known: dict[str, Shape] = {name: graph.inputs[name].sized(shape) for name, shape in shapes.items()}
    declared: dict[str, dict[str, Declaration]] = {}
    for name, node in graph.nodes.items():
        sources = graph.sources(name)
        if all(source in known for source in sources):
            declared[name] = node.layer.arrays(*(known[source] for source in sources))
            known[name] = declared[name]["y"].shape
    return declared


def is_looked_up(graph: Graph, name: str) -> bool:
    """Whether a node's one-hot rows stay unwritten: all its readers look rows up, and it is not a result itself."""
    readers = [node.layer for reader, node in graph.nodes.items() if name in graph.sources(reader)]
    is_result = any(node is graph.nodes[name] for node in graph.results.values())
    return graph.nodes[name].layer.one_hot and not is_result and all(layer.looks_up for layer in readers)


def wanted(graph: Graph, input_gradients: bool) -> set[str]:
    """Names through which a gradient has to flow: trained nodes, those behind them, and inputs where asked for."""
    names = {name for name, node in graph.inputs.items() if input_gradients and node.dtype == "float"}
    for name, node in graph.nodes.items():
        trained = any(isinstance(item, (Param, Tied)) for item in node.declarations.values())
        if trained or names.intersection(graph.sources(name)):
            names.add(name)
    return names


def reachable(graph: Graph, seeds: Iterable[str], through: set[str]) -> list[str]:
    """The nodes that a gradient from the seeds passes, last first."""
    active = set(seeds) & through
    order = []
    for name in reversed(graph.nodes):
        if name in active:
            order.append(name)
            active.update(source for source in graph.sources(name) if source in through)
    return order


def bind(node: Node, function: str, arrays: Mapping[str, Any]) -> Call:
    """A layer's function with its arguments in place."""
    return partial(getattr(node.layer, function), **{name: arrays[name] for name in node.layer.arguments(function)})


def add_up(parts: list[Array], total: Array, onto: bool = False) -> None:
    """total = Σ parts, or total += Σ parts."""
    if not onto:
        total[...] = 0
    for part in parts:
        total += part
