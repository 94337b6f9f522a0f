"""What a layer may declare: its inputs, and the arrays that it needs, by shape and purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]


class MadeName(str):
    """A name that was made from others; it is numbered where it is taken, which a given name never is."""


class Ids(tuple[int, ...]):
    """The shape of an integer array, which also knows the number of symbols: `ids.depth`."""

    _depth: int | None

    def __new__(cls, shape: Shape, depth: int | None) -> Ids:
        """A shape with a number of symbols, where that is known."""
        ids = super().__new__(cls, shape)
        ids._depth = depth
        return ids

    def __getnewargs__(self) -> tuple[Shape, int | None]:  # for copies and pickles
        return tuple(self), self._depth

    @property
    def known_depth(self) -> int | None:
        """The number of symbols, where that is known."""
        return self._depth

    @property
    def depth(self) -> int:
        """The number of symbols; ids lie in [0, depth)."""
        if self._depth is None:
            raise ValueError("the number of symbols is not known: give the integer Input its depth=")
        return self._depth


@dataclass(frozen=True)
class InputSpec:
    """One input of a layer: its axes, its dtype, and whether it may be left unconnected.

    dtype: "float", "int", or "any" of the two. axes: names separated by spaces; a letter stands for the same size in
    all specs of a layer, `...` for any number of leading axes. lowest: the smallest integer allowed (-1 where a target
    may be "ignore me"). within: the axis, by its letter, whose size integers do not exceed.
    """

    axes: str
    dtype: str = "float"
    optional: bool = False
    lowest: int = 0
    within: str | None = None


LENGTHS = InputSpec("B", dtype="int", optional=True, lowest=1, within="T")  # where padded sequences end


@dataclass(frozen=True)
class Param:
    """A trained array; `init` is how it starts: a function, or the name of one (see `minidl.graph.initializers`)."""

    shape: Shape
    init: str | Callable[..., None] = "zeros"


@dataclass(frozen=True)
class Tied:
    """A parameter of another node, seen transposed: (F, V) where that node holds (V, F)."""

    node: str
    array: str
    shape: Shape


@dataclass(frozen=True)
class Out:
    """The output `y`. With `steps_of`, it is the steps 1 to T of a carried array, without a copy."""

    shape: Shape
    steps_of: str | None = None


@dataclass(frozen=True)
class Cache:
    """What forward leaves for backward; named, so that it can be looked at (gates, cell states)."""

    shape: Shape
    dtype: str | None = None


@dataclass(frozen=True)
class State:
    """The steps 0 to T of a recurrent value, (T + 1, B, ...). Step 0 is what the previous call left at its end."""

    shape: Shape


@dataclass(frozen=True)
class Workspace:
    """Room to compute in; holds nothing worth reading before or after a call."""

    shape: Shape


Declaration = Param | Tied | Out | Cache | State | Workspace
