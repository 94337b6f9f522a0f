"""Values that do not exist yet: what an input or a node stands for, with its shape, before any memory exists."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from numbers import Integral
from string import ascii_uppercase
from typing import Any

from numpy.typing import DTypeLike

from minidl.graph.arrays import Ids, Shape
from minidl.graph.operations import as_dtype
from minidl.system.errors import GraphError


class Axis(int):
    """A size that is open until data comes: an integer for shape inference that prints as its name."""

    symbol: str

    def __new__(cls, size: int, symbol: str) -> Axis:
        """A size that prints as `symbol`."""
        axis = super().__new__(cls, size)
        axis.symbol = symbol
        return axis

    def __reduce__(self) -> tuple[Any, ...]:  # for copies and pickles
        return Axis, (int(self), self.symbol)

    def __repr__(self) -> str:
        return self.symbol


def is_batch(axis: int) -> bool:
    """Whether an axis is that of sequences, B.

    >>> is_batch(Axis(6101, "B")), is_batch(6101)
    (True, False)
    """
    return isinstance(axis, Axis) and axis.symbol == "B"


# A size for each capital letter, unlikely enough that an open axis never equals a given one by accident.
_SIZES = (
    *(5003, 6101, 5009, 5011, 5021, 5023, 5039, 5051, 5059, 5077, 5081, 5087, 5099),  # A to M
    *(5101, 5107, 5113, 5119, 5147, 5153, 7919, 5167, 5171, 5179, 5189, 5197, 5209),  # N to Z
)
OPEN = {letter: Axis(size, letter) for letter, size in zip(ascii_uppercase, _SIZES, strict=True)}


class Symbol:
    """A value that does not exist yet: its label, its dtype ("float" or "int"), its shape, and what it is made from."""

    label: str
    dtype: str
    shape: Shape
    inputs: tuple[Symbol, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.label} {show(self.shape)}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Symbol:
        """What a symbol is made from is copied before it: a chain of thousands would exceed Python's recursion."""
        waiting: list[Symbol] = [self]
        while waiting:
            one = waiting[-1]
            missing = [symbol for symbol in one.inputs if id(symbol) not in memo]
            waiting += missing
            if not missing:
                waiting.pop()
                if id(one) not in memo:
                    memo[id(one)] = new = object.__new__(type(one))
                    new.__dict__.update(copy.deepcopy(one.__dict__, memo))
        copied: Symbol = memo[id(self)]
        return copied


class Input(Symbol):
    """A place where data enters a graph.

    name: of the argument of `model.forward`. dtype: "float", or "int" for ids, or such a type of NumPy's. depth: the
    number of symbols of an integer input (ids lie in [0, depth)), or of the features of a float one (its last axis).
    shape: capital letters are open axes, each of one size in all inputs of a call (T is time and B the batch), numbers
    are fixed; ids are (T, B) and features (T, B, depth) if it is not given.

    >>> Input("ids", dtype="int", depth=56)
    <ids (T, B)>
    >>> Input("x", depth=3)
    <x (T, B, 3)>
    >>> Input("label", dtype="int", depth=2, shape=("B",))
    <label (B,)>
    >>> Input("source", depth=3, shape=("S", "B", 3))
    <source (S, B, 3)>
    """

    def __init__(
        self,
        name: str,
        *,
        dtype: DTypeLike = "float",
        depth: int | None = None,
        shape: Sequence[int | str | None] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise GraphError(f"an input has a name, by which model.forward is given its array; got {name!r}")
        self.label = self.name = name
        self.dtype = _kind(name, dtype)
        self.depth = None if depth is None else _size(name, "depth", depth)
        if shape is None:
            shape = ("T", "B") if self.dtype == "int" else ("T", "B", self._features(depth))
        if isinstance(shape, str) or not isinstance(shape, Sequence):
            raise GraphError(f"input {name!r}: a shape is a list of sizes and letters, got {shape!r:.60}")
        self.shape = self.sized([_axis(name, i, size) for i, size in enumerate(shape)])

    def sized(self, shape: Sequence[int]) -> Shape:
        """A shape of this input as layers see it: that of ids knows its depth."""
        return Ids(tuple(shape), self.depth) if self.dtype == "int" else tuple(shape)

    def _features(self, depth: int | None) -> int:
        if depth is None:
            raise GraphError(
                f"input {self.name!r}: say how many features a step has, as in Input({self.name!r}, depth=3)"
            )
        return depth

    def config(self) -> dict[str, Any]:
        """Plain data from which `Input(**config)` makes an equal input."""
        shape = [size.symbol if isinstance(size, Axis) else size for size in self.shape]
        return {"name": self.name, "dtype": self.dtype, "depth": self.depth, "shape": shape}


def _kind(name: str, dtype: DTypeLike) -> str:
    """Which of "int" and "float" a type is; layers tell no others apart."""
    kinds = {"i": "int", "u": "int", "f": "float"}
    found = as_dtype(dtype)
    if found is not None and found.kind in kinds:
        return kinds[found.kind]
    raise GraphError(f'input {name!r}: dtype is "int" or "float", got {dtype!r}')


def _size(name: str, what: str, size: Any) -> int:
    if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
        raise GraphError(f"input {name!r}: {what} is a whole number of 1 or more, got {size!r}")
    return int(size)


def _axis(name: str, position: int, size: int | str | None) -> int:
    if size is None:
        size = "TB"[position] if position < 2 else "?"
    if isinstance(size, str):
        if size not in OPEN:
            raise GraphError(
                f'input {name!r}: an open axis is a capital letter, "T" (time) or "B" (batch), got {size!r}'
            )
        return OPEN[size]
    return _size(name, f"axis {position} of shape", size)


def show(shape: Shape) -> str:
    """A shape as people write it."""
    return f"({', '.join(map(repr, shape))}{',' if len(shape) == 1 else ''})"
