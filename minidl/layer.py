"""What a layer is: a frozen dataclass that declares its arrays, and two functions of plain array code over them.

    forward     y  = f(x, parameters)                     fills outputs and caches
    backward    dx, dW = f'(dy, what forward left)        assigns gradients, never adds to them

A layer owns no memory and has no state. The executor allocates what `arrays` declares and passes each array to
the functions by the name of their argument: `x` and the other inputs, the declared arrays, and in backward also
`d` + name for the gradient of an input, a parameter or the output. Two more names may be asked for: `training`
(a bool) and `rng` (the node's own random generator).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from minidl.declared import Declared, snake_case

if TYPE_CHECKING:
    from minidl.node import Node

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

    @property
    def depth(self) -> int:
        """The number of symbols; ids lie in [0, depth)."""
        if self._depth is None:
            raise ValueError("the number of symbols is not known: give the integer Input its depth=")
        return self._depth


@dataclass(frozen=True)
class Port:
    """One input of a layer: its axes, its dtype, and whether it may be left unconnected.

    axes: names separated by spaces; a letter stands for the same size in all ports of a layer, `...` for any
    number of leading axes. lowest: the smallest integer allowed (-1 where a target may be "ignore me"). within_steps:
    integers are at most T.
    """

    axes: str
    dtype: str = "float"
    optional: bool = False
    lowest: int = 0
    within_steps: bool = False


LENGTHS = Port("B", dtype="int", optional=True, lowest=1, within_steps=True)  # where padded sequences end


@dataclass(frozen=True)
class Param:
    """A trained array; `init` names how it starts (see `minidl.initializers`)."""

    shape: Shape
    init: str = "zeros"


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
class Carried:
    """The steps 0 to T of a recurrent value, (T + 1, B, ...). Step 0 is what the previous call left at its end."""

    shape: Shape


@dataclass(frozen=True)
class Scratch:
    """Room to compute in; holds nothing worth reading before or after a call."""

    shape: Shape


Declaration = Param | Tied | Out | Cache | Carried | Scratch


@dataclass(frozen=True)
class Layer(Declared, family="layer"):
    """Base of all layers.

    A subclass is a frozen dataclass with `inputs`, `arrays`, `forward` and `backward`; docs/own_layer.md shows one
    being written. Calling a layer on nodes adds it to a graph; calling the same object twice shares its weights.

    name: of the node; made from the type where it is not given.
    """

    name: str | None = field(default=None, kw_only=True)

    inputs: ClassVar[dict[str, Port]] = {"x": Port("... F")}
    variadic: ClassVar[bool] = False  # any number of inputs, which forward receives as the list `xs`
    one_hot: ClassVar[bool] = False  # the output is one-hot rows of the input, which need not be written out
    looks_up: ClassVar[bool] = False  # such rows may come as indices (see ops.OneHotRows)
    analytic: ClassVar[bool] = True  # forward is complex-differentiable almost everywhere

    # Shapes of the inputs in, declarations by name out; raises ValueError for shapes that do not fit.
    arrays: ClassVar[Callable[..., dict[str, Declaration]]]
    forward: ClassVar[Callable[..., None]]
    backward: ClassVar[Callable[..., None]]

    def __call__(self, *inputs: Any) -> Node:
        """A node of a graph: this layer, fed by these nodes."""
        from minidl.node import connect

        return connect(self, inputs)

    @classmethod
    def default_name(cls) -> str:
        """The name of a node that was given none: the type in small letters."""
        return snake_case(cls.__name__)

    @classmethod
    def arguments(cls, function: str) -> list[str]:
        """The array names that `forward` or `backward` asks for."""
        return list(inspect.signature(getattr(cls, function)).parameters)[1:]
