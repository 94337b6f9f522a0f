"""What enters a graph: arrays checked by name, dtype, axes and range before a layer sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.errors import DataError, suggest
from minidl.graph import Graph
from minidl.node import Axis, Input, port_names, show

Array = NDArray[Any]


def check_feeds(graph: Graph, feeds: Mapping[str, ArrayLike], lowest: Mapping[str, int]) -> dict[str, Array]:
    """The feeds as arrays of integers or numbers with the right axes; raises DataError with the name and the remedy."""
    for name in feeds:
        if name not in graph.inputs:
            raise DataError(f"the model has no input {name!r}{suggest(name, graph.inputs)} ({_expected(graph)})")
    arrays: dict[str, Array] = {}
    sizes: dict[str, tuple[int, str]] = {}
    for name, node in graph.inputs.items():
        if name in feeds:
            arrays[name] = _as_kind(node, feeds[name])
            _check_axes(node, arrays[name], sizes)
            if node.dtype == "int" and node.depth is not None:
                _check_range(node, arrays[name], lowest.get(name, 0))
    return arrays


def lowest_allowed(graph: Graph) -> dict[str, int]:
    """The smallest integer that each integer input may hold: 0, or -1 where every reader ignores it."""
    lowest: dict[str, list[int]] = {name: [] for name in graph.inputs}
    for name, node in graph.nodes.items():
        ports = port_names(node.layer, len(node.inputs)).values()
        for source, port in zip(graph.sources(name), ports, strict=True):
            if source in lowest:
                lowest[source].append(port.lowest)
    return {name: max(values, default=0) for name, values in lowest.items()}


def _expected(graph: Graph) -> str:
    return "inputs: " + ", ".join(f"{name} {show(node.shape)}" for name, node in graph.inputs.items())


def _as_kind(node: Input, given: ArrayLike) -> Array:
    array = np.asarray(given)
    if array.size == 0:
        raise DataError(f"input {node.name!r} is empty: shape {array.shape}, expected {show(node.shape)}")
    if node.dtype == "int" and array.dtype.kind not in "iu":
        raise DataError(f"input {node.name!r} takes integer ids, got {array.dtype}; round and convert them first")
    if node.dtype == "float" and array.dtype.kind not in "fciub":
        raise DataError(f"input {node.name!r} takes numbers, got an array of {array.dtype}")
    return array


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


def _check_range(node: Input, array: Array, lowest: int) -> None:
    smallest, largest = array.min(), array.max()
    if smallest < lowest or largest >= node.depth:
        bad = smallest if smallest < lowest else largest
        where = tuple(int(i) for i in np.argwhere(array == bad)[0])
        raise DataError(
            f"input {node.name!r} holds the id {bad} at {where}, but ids lie in [{lowest}, {node.depth}): "
            f"encode the data with the model's own vocabulary"
        )
