"""A graph bound to shapes and buffers: the calls of a forward pass."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minidl.engine.binding import Context, bind, dispensable, workspaces
from minidl.engine.buffers import Arena, DryRunAllocator, Request
from minidl.engine.dispatch import Call
from minidl.graph.arrays import Cache, Declaration, Out, Param, Shape, State, Tied, Workspace
from minidl.graph.graph import Graph
from minidl.graph.operations import OneHotRows
from minidl.system.collector import at_rest

Array = NDArray[Any]


class ForwardProgram:
    """The forward calls for inputs of these shapes; nodes whose inputs are not all given are left out."""

    @at_rest()
    def __init__(self, context: Context, shapes: Mapping[str, Shape], arena: Arena | DryRunAllocator) -> None:
        self.context, self.shapes = context, dict(shapes)
        self.declared = specialise(context.graph, shapes)
        self.looked_up = {name for name in self.declared if is_looked_up(context.graph, name)}
        buffers = arena.take(self._requests())
        self.values: dict[str, Any] = {name: buffers[name, "y"] for name in shapes}
        self.arrays: dict[str, dict[str, Any]] = {}
        for name in self.declared:
            self._bind(name, buffers)
        self.carried = list(self._carried())
        ends = context.graph.ends
        self.results = {result: self.values[name] for result, name in ends.items() if name in self.values}

    def _carried(self) -> Iterable[tuple[str, Array, Array, Array, Array | None]]:
        """Each carried array by "node/array": all steps, the first, the last, and lengths where they are given."""
        for name, declared in self.declared.items():
            for array, item in declared.items():
                if isinstance(item, State):
                    steps = self.arrays[name][array]
                    yield f"{name}/{array}", steps, steps[0], steps[-1], self.arrays[name].get("lengths")

    def _requests(self) -> dict[Hashable, Request]:
        end = len(self.declared)
        requests: dict[Hashable, Request] = {
            (name, "y"): Request(shape, self._input_dtype(name), 0, end) for name, shape in self.shapes.items()
        }
        for i, (name, declared) in enumerate(self.declared.items()):
            node = self.context.graph.nodes[name]
            rooms = workspaces(node, declared, "forward", self.context.dtype)
            # Nobody reads them, and they are not made.
            spared = set() if self.context.caches else dispensable(node, self.context.dtype)
            for array, item in declared.items():
                if array in rooms:
                    requests[name, array] = Request(item.shape, self.context.dtype, i, i)
                elif isinstance(item, State) or self._is_written(name, item):
                    # A number is a sum over the batch, such as a loss: rounded, it would depend on who adds up what.
                    dtype = self.context.dtype if item.shape else np.result_type(self.context.dtype, np.float64)
                    requests[name, array] = Request(item.shape, dtype, 0, end)
                elif isinstance(item, Cache) and array not in spared:
                    first, last = (0, end) if self.context.caches else (i, i)
                    requests[name, array] = Request(item.shape, item.dtype or self.context.dtype, first, last)
        return requests

    def _is_written(self, name: str, item: Declaration) -> bool:
        return isinstance(item, Out) and item.steps_of is None and name not in self.looked_up

    def _input_dtype(self, name: str) -> DTypeLike:
        return np.int64 if self.context.graph.inputs[name].dtype == "int" else self.context.dtype

    def _bind(self, name: str, buffers: Mapping[Hashable, Array]) -> None:
        context = self.context
        arrays: dict[str, Any] = self._inputs(name)
        for array, item in self.declared[name].items():
            if isinstance(item, Param):
                arrays[array] = context.weights.undrawn[f"{context.graph.owners[name]}/{array}"]
            elif isinstance(item, Tied):
                arrays[array] = context.weights.undrawn[f"{context.graph.owners[item.node]}/{item.array}"].T
            elif (name, array) in buffers:
                arrays[array] = buffers[name, array]
        out = self.declared[name]["y"]
        if isinstance(out, Out) and out.steps_of is not None:
            arrays["y"] = arrays[out.steps_of][1:]
        self.arrays[name] = arrays
        if name in self.looked_up:
            self.values[name] = OneHotRows(self._fed(name)[0], out.shape[-1])
        else:
            self.values[name] = arrays["y"]

    @cached_property
    def calls(self) -> list[tuple[str, Call]]:
        """Each node that computes, with its function; nothing is bound where a program is only measured."""
        return [(name, self._call(name)) for name in self.declared if name not in self.looked_up]

    def _call(self, name: str) -> Call:
        node = self.context.graph.nodes[name]
        given = {**node.layer.optional("forward"), **self.arrays[name], **self.services(name)}
        return bind(node, "forward", given, self.context.dtype)

    def _inputs(self, name: str) -> dict[str, Any]:
        layer = self.context.graph.nodes[name].layer
        fed = self._fed(name)
        if layer.variadic:
            return {"xs": fed}
        ports = self.context.graph.nodes[name].ports
        return {**dict.fromkeys(layer.inputs), **dict(zip(ports, fed, strict=True))}

    def _fed(self, name: str) -> list[Any]:
        sources, state = self.context.graph.sources(name), self.context.graph.nodes[name].layer.reads
        fed = [self.values[source] for source in sources]
        return fed if state is None else [self.arrays[sources[0]][state], *fed[1:]]

    def kept(self) -> dict[str, Array]:
        """What the pass has left in nodes, by "node/array": outputs, carried values, and caches where they are kept."""
        return {
            f"{name}/{array}": self.arrays[name][array]
            for name, declared in self.declared.items()
            for array, item in declared.items()
            if isinstance(self.arrays[name].get(array), np.ndarray)
            if not isinstance(item, Workspace)
            if self.context.caches or not isinstance(item, Cache)
        }

    def written(self) -> dict[str, Array]:
        """What each input and node gives; one-hot rows as if they were written."""
        return {
            name: np.eye(value.depth)[value.ids] if isinstance(value, OneHotRows) else value
            for name, value in self.values.items()
        }

    def services(self, name: str) -> dict[str, Any]:
        """What a layer may ask for besides arrays."""
        return {"training": self.context.training, "rng": self.context.rngs.get(name)}


def specialise(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, dict[str, Declaration]]:
    """The declarations of every node that can be computed from inputs of these shapes."""
    known: dict[str, Shape] = {name: graph.inputs[name].sized(shape) for name, shape in shapes.items()}
    declared: dict[str, dict[str, Declaration]] = {}
    for name, node in graph.nodes.items():
        sources = graph.sources(name)
        if all(source in known for source in sources):
            fed = [known[source] for source in sources]
            if node.layer.reads is not None:
                fed[0] = declared[sources[0]][node.layer.reads].shape
            declared[name] = node.arrays(fed)
            known[name] = declared[name]["y"].shape
    return declared


def is_looked_up(graph: Graph, name: str) -> bool:
    """Whether a node's one-hot rows stay unwritten: all its readers look rows up, and it is not a result itself."""
    node = graph.nodes[name]
    if not node.layer.one_hot or any(result is node for result in graph.results.values()):
        return False
    readers = [graph.nodes[reader] for reader in graph.readers[name]]
    return all(reader.layer.accepts_one_hot and node not in reader.inputs[1:] for reader in readers)
