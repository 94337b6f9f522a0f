"""A layer on trial: models of it alone, run forward and backward from buffers that hold what the trial puts there."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from minidl.graph.arrays import Array
from minidl.graph.layer import Layer
from minidl.graph.results import alone
from minidl.graph.symbol import Axis
from minidl.model import Model

Arrays = dict[str, Array]
Tried = TypeVar("Tried")  # a layer on trial, or an optimizer


class WrongLayer(Exception):
    """What a layer did wrong, in words for its author."""


class Trial:
    """A layer and the arrays that it is fed, in one model; each run begins from the same state and random numbers."""

    def __init__(self, layer: Layer, feeds: Mapping[str, Array], dtype: str = "float64", training: bool = True) -> None:
        self.layer, self.feeds = layer, dict(feeds)
        node, _ = alone(layer, self._placed(), self._named())
        first = Model(outputs={"y": node}, dtype="float64")
        rng = np.random.default_rng(1)
        first.weights.flat[...] = rng.uniform(-0.7, 0.7, first.weights.flat.shape)  # no zero hides a mistake
        self.model = first.replica(training=training, dtype=dtype)
        self.model.executor.leave_padding()
        self.weights = self.model.weights.flat.copy()
        y = self.forward_only()
        state, generators = self.model.executor.state_dict()
        self.start = {name: 0.5 * rng.standard_normal(array.shape) for name, array in state.items()}, generators
        self.dy: Array = np.asarray(rng.standard_normal(y.shape))

    @property
    def is_single(self) -> bool:
        """Whether the layer is one node, and not made of others."""
        return len(self.model.graph.nodes) == 1

    def label(self, name: str) -> str:
        """What an array "node/array" is called: by its own name where there is one node."""
        return name.partition("/")[2] if self.is_single else name

    def _placed(self) -> list[Array]:
        """What is fed by place: the first inputs, up to one that is left out."""
        if self.layer.variadic:
            return list(self.feeds.values())
        known = list(self.layer.inputs)
        count = next((i for i, name in enumerate(known) if name not in self.feeds), len(known))
        return [self.feeds[name] for name in known[:count]]

    def _named(self) -> Arrays:
        placed = len(self._placed())
        return {name: array for i, (name, array) in enumerate(self.feeds.items()) if i >= placed}

    def again(self, feeds: Mapping[str, Array] | None = None, dtype: str = "float64", training: bool = True) -> Trial:
        """The same layer on trial anew."""
        return Trial(self.layer, self.feeds if feeds is None else feeds, dtype, training)

    def forward_only(self) -> Array:
        """What the layer gives: a copy."""
        return np.array(self.model.executor.forward(self.feeds)["y"])

    def run(self, fill: float | None = None) -> Arrays:
        """All that a forward and a backward pass leave to see, copied. fill: what buffers hold before."""
        executor = self.model.executor
        if fill is not None:
            self._fill(fill)
        self.model.weights.flat[...] = self.weights
        executor.load_state_dict(*self.start)
        found = {"the output y": np.array(executor.forward(self.feeds)["y"])}
        found |= {f"the state {self.label(name)}": array.copy() for name, array in executor.state.items()}
        inputs = executor.backward({"y": self.dy})
        found |= {f"d{self.label(name)}": array.copy() for name, array in self.model.gradients.items()}
        return found | {f"d{name}": array.copy() for name, array in inputs.items()}

    def _fill(self, value: float) -> None:
        """Buffers of both passes, and gradients, hold a value (inputs and integers as well: they are written first)."""
        for arena in self.model.executor.arenas:
            whole = arena.block[: arena.block.size // 8 * 8]
            whole.view(self.model.weights.flat.dtype)[...] = value
        self.model.executor.gradient[...] = value

    def slices(self, steps: int | slice, sequences: int | slice) -> Arrays:
        """The feeds, cut along T and B; lengths end with the steps."""
        cuts = {"T": slice(steps) if isinstance(steps, int) else steps}
        cuts["B"] = slice(sequences) if isinstance(sequences, int) else sequences
        found = {}
        for name, array in self.feeds.items():
            axes = [axis.symbol if isinstance(axis, Axis) else "" for axis in self.model.graph.inputs[name].shape]
            found[name] = np.array(array[tuple(cuts.get(axis, slice(None)) for axis in axes)])
        for name, spec in self.layer.inputs.items():
            if isinstance(steps, int) and name in found and spec.within == "T":
                found[name] = np.minimum(found[name], steps)
        return found

    def sizes(self) -> dict[str, int]:
        """The sizes of the open axes of what is fed."""
        return {
            axis.symbol: size
            for name, node in self.model.graph.inputs.items()
            for axis, size in zip(node.shape, self.feeds[name].shape, strict=True)
            if isinstance(axis, Axis)
        }


def attempt(check: Callable[[Tried], Any], tried: Tried) -> str:
    """What a check finds wrong; an exception of the user's code is shown with the lines that led there."""
    try:
        with np.errstate(all="ignore"):
            check(tried)
    except WrongLayer as wrong:
        return str(wrong)
    except Exception as error:
        return raised(error)
    return ""


def raised(error: Exception) -> str:
    """An exception and the lines of code outside of minidl that led to it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/minidl/" not in frame.filename]
    lines = "".join(f"\n  {frame.filename}:{frame.lineno}: {frame.line}" for frame in frames[-3:])
    return f"it raises {type(error).__name__}: {error}{lines}"


def same(a: Array, b: Array) -> bool:
    """Whether two arrays are the same to the bit."""
    return a.tobytes() == b.tobytes()


def distance(a: Array, b: Array) -> float:
    """The largest difference, relative to the largest entry or 1."""
    return float(np.abs(a - b).max(initial=0) / max(1.0, np.abs(b).max(initial=0)))
