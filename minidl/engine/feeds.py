"""What enters a graph: arrays checked by name, dtype, axes and range before a layer sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from minidl.engine.dispatch import implementation
from minidl.graph.arrays import Shape
from minidl.graph.graph import Graph
from minidl.graph.layer import Node
from minidl.graph.operations import is_masked
from minidl.graph.symbol import Axis, Input, show
from minidl.system.errors import DataError, suggest

Array = NDArray[Any]
Shapes = tuple[tuple[str, Shape], ...]
LARGEST = int(np.iinfo(np.int64).max)


class Feeds:
    """The inputs of a graph, and what they may hold. dtype: what the graph computes in."""

    def __init__(self, graph: Graph, dtype: DTypeLike) -> None:
        self.inputs = graph.inputs
        self.numbers = "fciub" if np.dtype(dtype).kind == "c" else "fiub"  # kinds of dtype that a float input takes
        self._compiled_within = implementation(Feeds, "within", dtype)
        readers: dict[str, list[tuple[Node, str]]] = {name: [] for name in graph.inputs}
        for name, node in graph.nodes.items():
            for source, port in zip(graph.sources(name), node.ports, strict=True):
                readers.get(source, []).append((node, port))
        # -1 is allowed where every reader ignores it; lengths end with the steps.
        self.lowest = {name: max((n.specs[port].lowest for n, port in readers[name]), default=0) for name in readers}
        self._highest: dict[Shapes, dict[str, int]] = {}
        self.padded = dict(_padded(graph))
        # Of lengths: the axes in which they lie.
        self.within_axes = {name: axes for name in readers if (axes := _axes_around(readers[name]))}

    def check(self, feeds: Mapping[str, ArrayLike]) -> tuple[dict[str, Array], Shapes]:
        """The feeds as arrays of integers or numbers with the right axes; DataError with the name and the remedy."""
        for name in feeds:
            if name not in self.inputs:
                raise DataError(f"the model has no input {name!r}{suggest(name, self.inputs)} ({self._expected()})")
        if not feeds:
            raise DataError(f"forward was given nothing ({self._expected()})")
        arrays = {name: self._as_kind(node, feeds[name]) for name, node in self.inputs.items() if name in feeds}
        shapes = tuple([(name, array.shape) for name, array in arrays.items()])
        if shapes not in self._highest:  # axes that have been found right once are not looked at again
            self._highest[shapes] = self._check_axes(arrays)
        for name, highest in self._highest[shapes].items():
            self._check_range(name, arrays[name], highest)
        return arrays, shapes

    def clear_padding(self, values: Mapping[str, Array]) -> None:
        """Zeros past the ends of sequences, so that nothing computes with what stands there."""
        for name, lengths in self.padded.items():
            if name in values and lengths in values:
                array = values[name]
                array[np.arange(len(array))[:, None] >= values[lengths]] = 0

    def within(self, ids: Array, lowest: int, highest: int) -> bool:
        """Whether all ids lie in [lowest, highest]."""
        return bool(ids.min() >= lowest and ids.max() <= highest)

    def _check_axes(self, arrays: Mapping[str, Array]) -> dict[str, int]:
        """The largest integer that each integer input may hold, once the axes of all inputs agree."""
        sizes: dict[str, tuple[int, str]] = {}
        for name, array in arrays.items():
            _check_axes(self.inputs[name], array, sizes)
        depths = {name: LARGEST if node.depth is None else node.depth - 1 for name, node in self.inputs.items()}
        return {
            name: min((sizes.get(axis, (LARGEST, ""))[0] for axis in self.within_axes.get(name, ())), default=depth)
            for name, depth in depths.items()
            if name in arrays and self.inputs[name].dtype == "int"
        }

    def _expected(self) -> str:
        return "inputs: " + ", ".join(f"{name} {show(node.shape)}" for name, node in self.inputs.items())

    def _as_kind(self, node: Input, given: ArrayLike) -> Array:
        try:
            array = np.asarray(given)
        except ValueError:
            raise DataError(f"input {node.name!r} has rows of several lengths; pad them to one, see lengths") from None
        if is_masked(given):
            raise DataError(
                f"input {node.name!r} is a masked array, and layers would read what lies below the mask: give "
                "x.filled(0), and say where sequences end with lengths"
            )
        if array.size == 0:
            raise DataError(f"input {node.name!r} is empty: shape {array.shape}, expected {show(node.shape)}")
        if node.dtype == "int" and array.dtype.kind not in "iu":
            raise DataError(f"input {node.name!r} takes integer ids, got {array.dtype}; round and convert them first")
        if node.dtype == "float" and array.dtype.kind not in self.numbers:
            raise DataError(f"input {node.name!r} takes numbers, got an array of {array.dtype}")
        return array

    def _check_range(self, name: str, array: Array, highest: int) -> None:
        lowest = self.lowest[name]
        within = self._compiled_within if array.dtype == np.int64 else Feeds.within
        if within(self, array, lowest, highest):
            return
        where = tuple(int(i) for i in np.argwhere((array < lowest) | (array > highest))[0])
        what, remedy = "id", "encode the data with the model's own vocabulary"
        if name in self.within_axes:
            what, remedy = "length", "count the steps of each sequence"
        raise DataError(
            f"input {name!r} holds the {what} {array[where]} at {where}, but {what}s lie in [{lowest}, {highest + 1}): "
            f"{remedy}"
        )


def _padded(graph: Graph) -> Iterator[tuple[str, str]]:
    """Float inputs of sequences, with the input that says where they end for all that reads their steps."""
    for name, node in graph.inputs.items():
        if node.dtype == "float" and len(node.shape) > 1:
            ends = _ends(graph, name)
            lengths = graph.inputs.get(ends.pop()) if len(ends) == 1 else None
            if lengths is not None and node.shape[1:2] == lengths.shape:
                yield name, lengths.name


def _ends(graph: Graph, name: str) -> set[str]:
    """What says where the steps of an input end: names, and "" where something reads them all."""
    found, waiting, seen = set(), [name], {name}
    while waiting:
        source = waiting.pop()
        if source in graph.ends.values():
            found.add("")
        for reader in graph.readers[source]:
            node = graph.nodes[reader]
            if not node.layer.by_steps:
                found |= _ends_for(node, source, graph.sources(reader))
            elif reader not in seen:
                seen.add(reader)
                waiting.append(reader)
    return found


def _ends_for(node: Node, name: str, sources: Iterable[str]) -> set[str]:
    fed = dict(zip(node.ports, sources, strict=True))
    axes = [node.specs[port].axes.replace("...", "T").split()[0] for port, source in fed.items() if source == name]
    return {next((fed[port] for port in fed if node.specs[port].within == axis), "") for axis in axes}


def _axes_around(readers: Iterable[tuple[Node, str]]) -> set[str]:
    """The open axes whose sizes bound what these inputs of nodes are fed: lengths of sequences."""
    found = set()
    for node, port in readers:
        letter = node.specs[port].within
        for other, fed in zip(node.specs.values(), node.inputs, strict=True) if letter else ():
            letters = other.axes.replace("...", "").split()
            sizes = dict(zip(reversed(letters), reversed(fed.shape), strict=False))
            if isinstance(axis := sizes.get(letter or ""), Axis):
                found.add(axis.symbol)
            elif letter == "T" and other.axes == "..." and len(fed.shape) > 1 and isinstance(fed.shape[0], Axis):
                found.add(fed.shape[0].symbol)  # a loss of any axes has its steps first
    return found


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
