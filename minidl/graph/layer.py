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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from minidl.config.declared import Declared, snake_case
from minidl.graph.arrays import Declaration, InputSpec, Out, Param, Shape, State, Tied
from minidl.graph.fit import check_inputs, check_parameters
from minidl.graph.symbol import Symbol, show
from minidl.system.errors import GraphError, suggest


@dataclass(frozen=True)
class Layer(Declared, family="layer"):
    """Base of all layers.

    A subclass is a frozen dataclass with `inputs`, `arrays`, `forward` and `backward`; docs/own_layer.md shows one
    being written. Calling a layer on nodes adds it to a graph; calling the same object twice shares its weights.

    name: of the node; made from the type where it is not given.
    """

    name: str | None = field(default=None, kw_only=True)

    inputs: ClassVar[dict[str, InputSpec]] = {"x": InputSpec("... F")}
    variadic: ClassVar[bool] = False  # any number of inputs, which forward receives as the list `xs`
    one_hot: ClassVar[bool] = False  # the output is one-hot rows of the input, which need not be written out
    accepts_one_hot: ClassVar[bool] = False  # such rows may come as indices (see ops.OneHotRows)
    analytic: ClassVar[bool] = True  # forward is complex-differentiable almost everywhere

    @property
    def reads(self) -> str | None:
        """The state of the node before it that the first input is; None where it is the output, as nearly always."""
        return None

    # Shapes of the inputs in, declarations by name out; raises ValueError for shapes that do not fit.
    arrays: ClassVar[Callable[..., dict[str, Declaration]]]
    forward: ClassVar[Callable[..., None]]
    backward: ClassVar[Callable[..., None]]

    def __call__(self, *inputs: Any, **named: Any) -> Node:
        """A node of a graph: this layer, fed by these nodes, in the order of `inputs` or by name."""
        return connect(self, inputs, named)

    @classmethod
    def default_name(cls) -> str:
        """The name of a node that was given none: the type in small letters."""
        return snake_case(cls.__name__)

    @classmethod
    def arguments(cls, function: str) -> list[str]:
        """The array names that `forward` or `backward` asks for one by one."""
        parameters = list(inspect.signature(getattr(cls, function)).parameters.values())[1:]
        return [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]

    @classmethod
    def takes_all(cls, function: str) -> bool:
        """Whether it takes all other arrays too, as `**arrays`: all but workspaces."""
        parameters = inspect.signature(getattr(cls, function)).parameters.values()
        return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


class Node(Symbol):
    """A layer fed by other nodes: what calling a layer returns, and what feeds the next.

    ports: which of the layer's inputs each of `inputs` feeds; the first ones where it is not given.
    """

    dtype = "float"

    def __init__(self, layer: Layer, inputs: Sequence[Symbol], ports: Sequence[str] | None = None) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.label = layer.name or layer.default_name()
        check_complete(layer)
        self.ports = _first_ports(layer, len(self.inputs)) if ports is None else tuple(ports)
        check_ports(layer, self.ports)
        check_inputs(_describe(layer, inputs), self.specs, inputs)
        try:
            self.declarations = self.declare([self.fed_shape(i) for i in range(len(self.inputs))])
        except (ValueError, TypeError, IndexError) as error:
            raise GraphError(f"{_describe(layer, inputs)}: {error}") from None
        out = self.declarations.get("y")
        if not isinstance(out, Out):
            raise GraphError(f"{type(layer).__name__}.arrays declares no output: it needs 'y': Out(shape)")
        check_arguments(layer, self.declarations)
        check_parameters(_describe(layer, inputs), self.declarations)
        self.shape = out.shape

    @property
    def specs(self) -> dict[str, InputSpec]:
        """What is fed, by the name of the input: its spec."""
        if self.layer.variadic:
            (spec,) = self.layer.inputs.values()
            return dict.fromkeys(self.ports, spec)
        return {port: self.layer.inputs[port] for port in self.ports}

    @property
    def is_in_order(self) -> bool:
        """Whether the inputs are the first ones that the layer has, with none left out between."""
        return self.ports == _first_ports(self.layer, len(self.inputs))

    def declare(self, shapes: Sequence[Shape]) -> dict[str, Declaration]:
        """The arrays of the layer for inputs of these shapes."""
        if self.is_in_order:
            return self.layer.arrays(*shapes)
        return self.layer.arrays(**dict(zip(self.ports, shapes, strict=True)))

    def fed_shape(self, position: int) -> Shape:
        """The shape of what comes in at one place: an output, or the state that the layer reads of the node before."""
        source = self.inputs[position]
        if position or self.layer.reads is None:
            return source.shape
        return state_of(self.layer, source).shape


def state_of(layer: Layer, source: Symbol) -> State:
    """The state that a layer reads of the node before it."""
    declarations = source.declarations if isinstance(source, Node) else {}
    states = {name: item for name, item in declarations.items() if isinstance(item, State)}
    if layer.reads not in states:
        there_are = f"it has {', '.join(states)}" if states else "only recurrent layers have states"
        raise ValueError(f"{source.label!r} has no state {layer.reads!r}: {there_are}")
    return states[layer.reads]


def connect(layer: Layer, inputs: Sequence[Any], named: Mapping[str, Any] | None = None) -> Node:
    """A node: the layer on these inputs, given one by one, as a list, or by name."""
    if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
        inputs = inputs[0]
    given = {name: node for name, node in (named or {}).items() if node is not None}
    for node in (*inputs, *given.values()):
        if not isinstance(node, Symbol):
            raise GraphError(
                f"{layer.name or layer.default_name()}: a layer is called on an Input or on another layer's result, "
                f"got {type(node).__name__}; to try a layer on an array use Model.of(layer, array)"
            )
    first = _first_ports(layer, len(inputs))
    if not given:
        return Node(layer, inputs, first)
    check_ports(layer, (*first, *given))
    fed = {**dict(zip(first, inputs, strict=True)), **given}
    ports = [name for name in layer.inputs if name in fed]
    return Node(layer, [fed[name] for name in ports], ports)


def _first_ports(layer: Layer, count: int) -> tuple[str, ...]:
    """The inputs that `count` nodes feed where none is named."""
    if layer.variadic:
        return tuple(f"xs[{i}]" for i in range(count))
    if count > len(layer.inputs):
        raise _wrong_inputs(layer, str(count))
    return tuple(layer.inputs)[:count]


def check_ports(layer: Layer, ports: Sequence[str]) -> None:
    """Each input that is fed exists, is fed once, and none that is needed is left out."""
    if layer.variadic:
        if not ports:
            raise GraphError(f"{layer.default_name()} needs at least one input")
        return
    for port in ports:
        if port not in layer.inputs:
            raise _wrong_inputs(layer, repr(port) + suggest(port, layer.inputs))
    required = {name for name, spec in layer.inputs.items() if not spec.optional}
    if len(set(ports)) < len(ports) or not required <= set(ports):
        raise _wrong_inputs(layer, ", ".join(ports) if len(ports) > 1 else str(len(ports)))


def _wrong_inputs(layer: Layer, got: str) -> GraphError:
    names = ", ".join(f"{name}{' (optional)' if spec.optional else ''}" for name, spec in layer.inputs.items())
    return GraphError(f"{layer.name or layer.default_name()} takes the inputs {names}; it got {got}")


def check_complete(layer: Layer) -> None:
    """A layer says which arrays it needs, and computes in both directions."""
    for function in ("arrays", "forward", "backward"):
        if not hasattr(layer, function):
            raise GraphError(
                f"{type(layer).__name__} has no method {function!r}; a layer needs arrays, forward, backward"
            )


def check_arguments(layer: Layer, declarations: Mapping[str, Declaration]) -> None:
    """Every argument of forward and backward is an input, a declared array, or one of the names the executor gives."""
    for function in ("forward", "backward"):
        known = offered_arrays(layer, declarations, function)
        for name in layer.arguments(function):
            if name not in known:
                raise GraphError(
                    f"{type(layer).__name__}.{function} asks for {name!r}{suggest(name, known)} "
                    f"(inputs and declared arrays: {', '.join(sorted(known))})"
                )


def offered_arrays(layer: Layer, declarations: Mapping[str, Declaration], function: str) -> set[str]:
    """The names of all that `forward` or `backward` may ask for."""
    specs = ["xs"] if layer.variadic else list(layer.inputs)
    offered = {*specs, *declarations, "training", "rng"}
    if function == "forward":
        return offered
    trained = [name for name, declared in declarations.items() if isinstance(declared, (Param, Tied))]
    states = [name for name, declared in declarations.items() if isinstance(declared, State)]
    return offered | {f"d{name}" for name in (*specs, *trained, "y")} | {f"d{name}_last" for name in states}


def _describe(layer: Layer, inputs: Sequence[Symbol]) -> str:
    fed = ", ".join(f"{node.label!r} {show(node.shape)}" for node in inputs)
    return f"node {layer.name or layer.default_name()!r} ({type(layer).__name__}, fed by {fed})"
