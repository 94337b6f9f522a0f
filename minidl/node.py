"""What calling layers makes: symbols with shapes, before any memory exists. Shapes are checked as each node is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from numpy.typing import DTypeLike

from minidl.errors import GraphError, suggest
from minidl.layer import Declaration, Ids, Layer, Out, Param, Port, Shape, Tied
from minidl.ops import as_dtype


class Axis(int):
    """A size that is open until data comes: an integer for shape inference that prints as its name."""

    symbol: str

    def __new__(cls, size: int, symbol: str) -> Axis:
        """A size that prints as `symbol`."""
        axis = super().__new__(cls, size)
        axis.symbol = symbol
        return axis

    def __repr__(self) -> str:
        return self.symbol


# Unlikely sizes, so that an open axis never equals a given one by accident.
OPEN = {"T": Axis(7919, "T"), "B": Axis(6101, "B")}


class Symbol:
    """A value that does not exist yet: its label, its dtype ("float" or "int"), its shape, and what it is made from."""

    label: str
    dtype: str
    shape: Shape
    inputs: tuple[Symbol, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.label} {show(self.shape)}>"


class Input(Symbol):
    """A place where data enters a graph.

    name: of the argument of `model.forward`. dtype: "float", or "int" for ids, or such a type of NumPy's. depth: the
    number of symbols of an integer input (ids lie in [0, depth)), or of the features of a float one (its last axis).
    shape: axes "T" and "B" are open, numbers are fixed; ids are (T, B) and features (T, B, depth) if it is not given.

    >>> Input("ids", dtype="int", depth=56)
    <ids (T, B)>
    >>> Input("x", depth=3)
    <x (T, B, 3)>
    >>> Input("label", dtype="int", depth=2, shape=("B",))
    <label (B,)>
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


class Node(Symbol):
    """A layer fed by other nodes: what calling a layer returns, and what feeds the next."""

    dtype = "float"

    def __init__(self, layer: Layer, inputs: Sequence[Symbol]) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.label = layer.name or layer.default_name()
        check_complete(layer)
        check_ports(layer, inputs)
        try:
            self.declarations = layer.arrays(*(source.shape for source in inputs))
        except (ValueError, TypeError, IndexError) as error:
            raise GraphError(f"{_describe(layer, inputs)}: {error}") from None
        out = self.declarations.get("y")
        if not isinstance(out, Out):
            raise GraphError(f"{type(layer).__name__}.arrays declares no output: it needs 'y': Out(shape)")
        check_arguments(layer, self.declarations)
        check_parameters(layer, inputs, self.declarations)
        self.shape = out.shape


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
            raise GraphError(f'input {name!r}: an open axis is "T" (time) or "B" (batch), got {size!r}')
        return OPEN[size]
    return _size(name, f"axis {position} of shape", size)


def show(shape: Shape) -> str:
    """A shape as people write it."""
    return f"({', '.join(map(repr, shape))}{',' if len(shape) == 1 else ''})"


def connect(layer: Layer, inputs: Sequence[Any]) -> Node:
    """A node: the layer on these inputs, given one by one or as a list."""
    if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
        inputs = inputs[0]
    for given in inputs:
        if not isinstance(given, Symbol):
            raise GraphError(
                f"{layer.name or layer.default_name()}: a layer is called on an Input or on another layer's result, "
                f"got {type(given).__name__}; to try a layer on an array use Model.of(layer, array)"
            )
    return Node(layer, inputs)


def check_ports(layer: Layer, inputs: Sequence[Symbol]) -> None:
    """Number, dtype and axes of what feeds a layer, against its ports."""
    ports = port_names(layer, len(inputs))
    sizes: dict[str, tuple[int, str]] = {}
    for (name, port), node in zip(ports.items(), inputs, strict=True):
        where = f"{_describe(layer, inputs)}: {name}"
        if port.dtype != node.dtype and port.dtype == "int":
            raise GraphError(f"{where} should be integers (ids), but {node.label!r} gives numbers {show(node.shape)}")
        if port.dtype != node.dtype:
            raise GraphError(
                f"{where} should be numbers (..., features), but {node.label!r} gives integer ids "
                f"{show(node.shape)}; put OneHot() or Embedding(units) between"
            )
        _match(port, node, sizes, where)


def _match(port: Port, node: Symbol, sizes: dict[str, tuple[int, str]], where: str) -> None:
    letters = port.axes.replace("...", "").split()
    open_rank = port.axes.startswith("...")
    wanted = f"({', '.join(port.axes.split())})"
    if len(node.shape) < len(letters) or (not open_rank and len(node.shape) != len(letters)):
        raise GraphError(f"{where} should have axes {wanted}, but {node.label!r} gives {show(node.shape)}")
    named = zip(letters, node.shape[len(node.shape) - len(letters) :], strict=True)
    for letter, size in named:
        known, giver = sizes.setdefault(letter, (size, node.label))
        if known != size:
            raise GraphError(
                f"{where} should have axes {wanted} with {letter} = {known!r} as in {giver!r}, "
                f"but {node.label!r} gives {show(node.shape)}"
            )


def port_names(layer: Layer, count: int) -> dict[str, Port]:
    """The ports that `count` inputs of a layer go to, in order."""
    if layer.variadic:
        (port,) = layer.inputs.values()
        if count == 0:
            raise GraphError(f"{layer.default_name()} needs at least one input")
        return {f"xs[{i}]": port for i in range(count)}
    required = sum(not port.optional for port in layer.inputs.values())
    if not required <= count <= len(layer.inputs):
        names = ", ".join(f"{name}{' (optional)' if port.optional else ''}" for name, port in layer.inputs.items())
        raise GraphError(f"{layer.name or layer.default_name()} takes the inputs {names}; it got {count}")
    return dict(list(layer.inputs.items())[:count])


def check_complete(layer: Layer) -> None:
    """A layer says which arrays it needs, and computes in both directions."""
    for function in ("arrays", "forward", "backward"):
        if not hasattr(layer, function):
            raise GraphError(
                f"{type(layer).__name__} has no method {function!r}; a layer needs arrays, forward, backward"
            )


def check_arguments(layer: Layer, declarations: Mapping[str, Declaration]) -> None:
    """Every argument of forward and backward is an input, a declared array, or one of the names the executor gives."""
    ports = ["xs"] if layer.variadic else list(layer.inputs)
    trained = [name for name, declared in declarations.items() if isinstance(declared, (Param, Tied))]
    offered = {*ports, *declarations, "training", "rng"}
    gradients = {f"d{name}" for name in (*ports, *trained, "y")}
    for function, known in (("forward", offered), ("backward", offered | gradients)):
        for name in layer.arguments(function):
            if name not in known:
                raise GraphError(
                    f"{type(layer).__name__}.{function} asks for {name!r}{suggest(name, known)} "
                    f"(inputs and declared arrays: {', '.join(sorted(known))})"
                )


def check_parameters(layer: Layer, inputs: Sequence[Symbol], declarations: Mapping[str, Declaration]) -> None:
    """What is trained has a size that does not change from call to call."""
    for name, declared in declarations.items():
        for size in declared.shape if isinstance(declared, Param) else ():
            if isinstance(size, Axis):
                raise GraphError(
                    f"{_describe(layer, inputs)}: {name} {show(declared.shape)} would change its size with {size!r}, "
                    "an open axis; the last axis of its input should be features, as of Input('x', depth=3)"
                )


def _describe(layer: Layer, inputs: Sequence[Symbol]) -> str:
    fed = ", ".join(f"{node.label!r} {show(node.shape)}" for node in inputs)
    return f"node {layer.name or layer.default_name()!r} ({type(layer).__name__}, fed by {fed})"
