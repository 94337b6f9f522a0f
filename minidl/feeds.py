"""What enters a graph: arrays checked by name, dtype, axes and range before a layer sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.errors import DataError, suggest
from minidl.graph import Graph
from minidl.layer import Port
from minidl.node import Axis, Input, port_names, show

Array = NDArray[Any]


class Feeds:
    """The inputs of a graph, and what they may hold. numbers: kinds of dtype that a float input takes."""

    def __init__(self, graph: Graph, numbers: str) -> None:
        self.inputs, self.numbers = graph.inputs, numbers
        ports = {name: [port for source, port in _connections(graph) if source == name] for name in graph.inputs}
        # -1 is allowed where every reader ignores it; lengths end with the steps.
        self.lowest = {name: max((port.lowest for port in ports[name]), default=0) for name in graph.inputs}
        self.within_steps = {name for name in graph.inputs if any(port.within_steps for port in ports[name])}

    def check(self, feeds: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """The feeds as arrays of integers or numbers with the right axes; DataError with the name and the remedy."""
        for name in feeds:
            if name not in self.inputs:
                raise DataError(f"the model has no input {name!r}{suggest(name, self.inputs)} ({self._expected()})")
        arrays: dict[str, Array] = {}
        sizes: dict[str, tuple[int, str]] = {}
        for name, node in self.inputs.items():
            if name in feeds:
                arrays[name] = self._as_kind(node, feeds[name])
                _check_axes(node, arrays[name], sizes)
        for name, array in arrays.items():
            self._check_range(self.inputs[name], array, sizes)
        return arrays

    def _expected(self) -> str:
        return "inputs: " + ", ".join(f"{name} {show(node.shape)}" for name, node in self.inputs.items())

    def _as_kind(self, node: Input, given: ArrayLike) -> Array:
        try:
            array = np.asarray(given)
        except ValueError:
            raise DataError(f"input {node.name!r} has rows of several lengths; pad them to one, see lengths") from None
        if array.size == 0:
            raise DataError(f"input {node.name!r} is empty: shape {array.shape}, expected {show(node.shape)}")
        if node.dtype == "int" and array.dtype.kind not in "iu":
            raise DataError(f"input {node.name!r} takes integer ids, got {array.dtype}; round and convert them first")
        if node.dtype == "float" and array.dtype.kind not in self.numbers:
            raise DataError(f"input {node.name!r} takes numbers, got an array of {array.dtype}")
        return array

    def _check_range(self, node: Input, array: Array, sizes: Mapping[str, tuple[int, str]]) -> None:
        if node.dtype != "int":
            return
        lowest, highest, what = self.lowest[node.name], np.iinfo(np.int64).max, "id"
        if node.name in self.within_steps and "T" in sizes:
            highest, what = sizes["T"][0], "length"
        elif node.depth is not None:
            highest = node.depth - 1
        smallest, largest = int(array.min()), int(array.max())
        if smallest < lowest or largest > highest:
            bad = smallest if smallest < lowest else largest
            where = tuple(int(i) for i in np.argwhere(array == bad)[0])
            remedy = "count the steps of each" if what == "length" else "encode the data with the model's own vocabulary"
            raise DataError(
                f"input {node.name!r} holds the {what} {bad} at {where}, but {what}s lie in [{lowest}, {highest + 1}): "
                f"{remedy}"
            )


def _connections(graph: Graph) -> Iterator[tuple[str, Port]]:
    for name, node in graph.nodes.items():
        yield from zip(graph.sources(name), port_names(node.layer, len(node.inputs)).values(), strict=True)


def _check_axes(node: Input, array: Array, sizes: dict[str, tuple[int, str]]) -> None:
    if array.ndim != len(node.shape):
        raise DataError(f"input {node.name!r} should have axes {show(node.shape)}, got shape {array.shape}")
    for axis, size in zip(node.shape, array.shape, strict=True):
        symbol = axis.symbol if isinstance(axis, Axis) else ""
        known, giver = sizes.setdefault(symbol, (size, node.name)) if symbol else (int(axis), "the model")
        if size != known:
            what = f"{symbol} = {known} as in {giver!r}" if symbol else f"{known} features as the model was built"
            raise DataError(
                f"input {node.name!r} should have axes {show(node.shape)} with {what}, got shape {array.shape}"
            )
