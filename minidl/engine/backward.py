"""The calls of a backward pass: from gradients of some results to those of all parameters and inputs.

Layers assign; what has to be added up is added here: the gradients of a node that feeds several others, and of
parameters that several nodes share.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.engine.binding import bind, workspaces
from minidl.engine.buffers import Arena, DryRunAllocator, Request
from minidl.engine.dispatch import Call
from minidl.engine.forward import ForwardProgram
from minidl.graph.arrays import Param, Shape, State, Tied, Workspace
from minidl.graph.graph import Graph
from minidl.graph.operations import is_masked
from minidl.system.collector import at_rest
from minidl.system.errors import DataError

Array = NDArray[Any]


class BackwardProgram:
    """The backward calls from gradients of some results (`seeds`) to all parameters, and to inputs where asked for."""

    @at_rest()
    def __init__(self, forward: ForwardProgram, seeds: Iterable[str], arena: Arena | DryRunAllocator) -> None:
        self.forward, self.context = forward, forward.context
        graph = self.context.graph
        self.wanted = wanted(graph, self.context.input_gradients)
        self.order = reachable(graph, seeds, self.wanted)
        # source, or source/state -> the consumers' inputs that hold its gradient
        self.parts: dict[str, list[tuple[str, int]]] = {}
        for name in self.order:
            for i, source in enumerate(graph.sources(name)):
                if source in self.wanted:
                    self.parts.setdefault(self._value(name, i), []).append((name, i))
        self.users = self._parameter_users()
        self.buffers = arena.take(self._requests(set(seeds)))
        self.seeds = {name: self.buffers[name, "seed"] for name in seeds if (name, "seed") in self.buffers}
        self.results = {name: self._parts_of(name)[0] for name in self._input_gradients()}
        self.untouched = [grad for name, grad in self.context.gradients.items() if name not in self.users]

    @cached_property
    def calls(self) -> list[tuple[str, Call]]:
        """Each node that gradients pass, with its function, and sums; bound when they are to be carried out."""
        calls = [call for name in self.order for call in self._node_calls(name)]
        calls += [("sum", self._sum_call(self._parts_of(name))) for name in self._input_gradients()]
        return calls + [("sum", partial(add_up, parts, total)) for parts, total in self._shared_gradients()]

    def set_seeds(self, seeds: Mapping[str, ArrayLike]) -> None:
        """Begin from these gradients, by the names of results."""
        unset = dict(self.seeds)  # without nodes behind which nothing is trained
        for name, value in seeds.items():
            node = self.context.graph.ends[name]
            if node in unset:
                seed = unset.pop(node)
                seed[...] = as_gradient(name, value, seed)
            elif node in self.seeds:  # one node may be several results
                seed = self.seeds[node]
                seed += as_gradient(name, value, seed)

    def _input_gradients(self) -> list[str]:
        """The inputs whose gradient comes out."""
        return [name for name in self.context.graph.inputs if self._parts_of(name)]

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
        for name in seeds & self.wanted:
            requests[name, "seed"] = Request(self._shape(name), dtype, -1, at.get(name, end))
        for name, i in at.items():
            for spec, source in enumerate(graph.sources(name)):
                if source in self.wanted:
                    shape = self._shape(self._value(name, spec))
                    requests[name, spec] = Request(shape, dtype, i, at.get(source, end))
            declared = self.forward.declared[name]
            for array in workspaces(graph.nodes[name], declared, "backward", dtype, self._states_read(name)):
                requests[name, array] = Request(declared[array].shape, dtype, i, i)
        for users in self.users.values():
            for name, array in users if self._is_shared(users) else ():
                shape = self.forward.arrays[name][array].shape
                requests[name, "d" + array] = Request(shape, dtype, at[name], end)
        return requests

    def _value(self, name: str, position: int) -> str:
        """What an input of a node is: the name of a node or input, or "node/state"."""
        source, state = self.context.graph.sources(name)[position], self.context.graph.nodes[name].layer.reads
        return source if position or state is None else f"{source}/{state}"

    def _shape(self, value: str) -> Shape:
        name, _, state = value.partition("/")
        if name not in self.forward.declared:
            return self.forward.shapes[name]
        declared = self.forward.declared[name]
        return declared[state].shape[1:] if state else declared["y"].shape

    def _is_shared(self, users: list[tuple[str, str]]) -> bool:
        return len(users) > 1 or isinstance(self.forward.declared[users[0][0]][users[0][1]], Tied)

    def _parts_of(self, name: str) -> list[Array]:
        seed = [self.buffers[name, "seed"]] if (name, "seed") in self.buffers else []
        return seed + [self.buffers[part] for part in self.parts.get(name, [])]

    def _node_calls(self, name: str) -> list[tuple[str, Call]]:
        node, sources = self.context.graph.nodes[name], self.context.graph.sources(name)
        given = [self.buffers.get((name, i)) for i in range(len(sources))]
        if node.layer.variadic:
            found: dict[str, Any] = {"dxs": given}
        else:
            fed = dict(zip(node.ports, given, strict=True))
            found = {f"d{port}": fed.get(port) for port in node.layer.inputs}
        values = {"dy": name}
        for array, item in self.forward.declared[name].items():
            if isinstance(item, Workspace) and (name, array) in self.buffers:
                found[array] = self.buffers[name, array]
            elif isinstance(item, (Param, Tied)):
                found["d" + array] = self._parameter_gradient(name, array)
            elif isinstance(item, State):
                values[f"d{array}_last"] = f"{name}/{array}"
        parts = {gradient: self._parts_of(value) for gradient, value in values.items()}
        found |= {gradient: summands[0] if summands else None for gradient, summands in parts.items()}
        given_up = node.layer.optional("backward")
        arrays = {**given_up, **self.forward.arrays[name], **found, **self.forward.services(name)}
        sums = [("sum", self._sum_call(summands)) for summands in parts.values() if len(summands) > 1]
        return [*sums, (name, bind(node, "backward", arrays, self.context.dtype, self._states_read(name)))]

    def _states_read(self, name: str) -> list[str]:
        """The gradients of a node's last states, of those that are read."""
        states = [array for array, item in self.forward.declared[name].items() if isinstance(item, State)]
        return [f"d{state}_last" for state in states if f"{name}/{state}" in self.parts]

    def _parameter_gradient(self, name: str, array: str) -> Array:
        if (name, "d" + array) in self.buffers:
            return self.buffers[name, "d" + array]
        return self.context.gradients[f"{self.context.graph.owners[name]}/{array}"]

    def _sum_call(self, parts: list[Array]) -> Call:
        return partial(add_up, parts[1:], parts[0], True)

    def _shared_gradients(self) -> Iterable[tuple[list[Array], Array]]:
        for key, users in self.users.items():
            if self._is_shared(users):
                yield [self._as_owned(name, array) for name, array in users], self.context.gradients[key]

    def _as_owned(self, name: str, array: str) -> Array:
        part = self.buffers[name, "d" + array]
        return part.T if isinstance(self.forward.declared[name][array], Tied) else part


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


def add_up(parts: list[Array], total: Array, onto: bool = False) -> None:
    """total = Σ parts, or total += Σ parts."""
    if not onto:
        total[...] = 0
    for part in parts:
        total += part


def as_gradient(name: str, value: ArrayLike, like: Array) -> Array:
    """What was given as the gradient of a result; DataError where it is none."""
    try:
        if value is None or is_masked(value):  # which NumPy takes for NaN, and for what lies below the mask
            raise TypeError
        given = np.asarray(value, like.dtype)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"the gradient of {name!r} should be numbers of its shape {like.shape}") from None
    if given.shape not in (like.shape, ()):
        raise DataError(f"the gradient of {name!r} should have its shape {like.shape}, got {given.shape}")
    return given
