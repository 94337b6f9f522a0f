"""What a layer is: a frozen dataclass that declares its arrays, and two functions of plain array code over them.

    forward     y  = f(x, parameters)                     fills outputs and caches
    backward    dx, dW = f'(dy, what forward left)        assigns gradients, never adds to them

A layer owns no memory and has no state. The executor allocates what `arrays` declares and passes each array to
the functions by the name of their argument: `x` and the other inputs, the declared arrays, and in backward also
`d` + name for the gradient of an input, a parameter or the output. Two more names may be asked for: `training`
(a bool) and `rng` (the node's own random generator).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, ClassVar

from minidl.config.declared import Declared, snake_case
from minidl.config.plain import FrozenMapping
from minidl.graph.arrays import Declaration, InputSpec, Param, Shape, State, Tied
from minidl.graph.fit import check_inputs, check_parameters, checked
from minidl.graph.initializers import Init, initialized, name_of
from minidl.graph.symbol import Symbol, show
from minidl.system.blame import remark
from minidl.system.errors import GraphError, suggest
from minidl.system.signatures import asked_by, first_of


@dataclass(frozen=True)
class Layer(Declared, family="layer"):
    """Base of all layers.

    A subclass is a frozen dataclass with `inputs`, `arrays`, `forward` and `backward`; docs/own_layer.md shows one
    being written. Calling a layer on nodes adds it to a graph; calling the same object twice shares its weights.

    name: of the node; made from the type where it is not given. init: how weights start, by the name of the array, in
    the place of what the layer says: {"W": "orthogonal"}; a function of one's own is registered, and named.

    Raises ConfigError where an argument is out of its range, GraphError where it is called with nodes that do not fit.
    """

    name: str | None = field(default=None, kw_only=True)
    init: Mapping[str, Init] | None = field(default=None, kw_only=True)

    inputs: ClassVar[dict[str, InputSpec]] = {"x": InputSpec("... F")}
    variadic: ClassVar[bool] = False  # any number of inputs, which forward receives as the list `xs`
    one_hot: ClassVar[bool] = False  # the output is one-hot rows of the input, which need not be written out
    accepts_one_hot: ClassVar[bool] = False  # such rows may come as indices (see ops.OneHotRows)
    by_steps: ClassVar[bool] = False  # a step of the output depends on no other step of the inputs
    analytic: ClassVar[bool] = True  # forward is complex-differentiable almost everywhere

    # Shapes of the inputs in, declarations by name out; raises ValueError for shapes that do not fit.
    arrays: ClassVar[Callable[..., dict[str, Declaration]]]
    forward: ClassVar[Callable[..., None]]
    backward: ClassVar[Callable[..., None]]

    def __call__(self, *inputs: Any, **named: Any) -> Node:
        """A node of a graph: this layer, fed by these nodes; optional inputs may be given by name."""
        return connect(self, inputs, named)

    def __post_init__(self) -> None:
        if isinstance(self.init, Mapping):
            named = {array: name_of(given) if callable(given) else given for array, given in self.init.items()}
            object.__setattr__(self, "init", FrozenMapping(named))
        super().__post_init__()

    @classmethod
    def default_name(cls) -> str:
        """The name of a node that was given none: the type in small letters."""
        return snake_case(cls.__name__)

    def has_twin(self, fed: Mapping[str, Symbol]) -> bool:
        """Whether compiled code may take the place of forward and backward where these symbols feed its inputs.

        False for options that only the equations on NumPy know.
        """
        return True

    @property
    def reads(self) -> str | None:
        """The state of the node before it that the first input is; None where it is the output, as in most layers."""
        return None

    @classmethod
    def arguments(cls, function: str) -> list[str]:
        """The array names that `forward` or `backward` asks for one by one."""
        parameters = asked_by(getattr(cls, function))
        return [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]

    @classmethod
    def takes_all(cls, function: str) -> bool:
        """Whether it takes all other arrays too, as `**arrays`: all but workspaces."""
        return any(parameter.kind is parameter.VAR_KEYWORD for parameter in asked_by(getattr(cls, function)))

    @classmethod
    def optional(cls, function: str) -> dict[str, None]:
        """The arrays that `forward` or `backward` can do without, each with None: arguments that have a default."""
        return {parameter.name: None for parameter in asked_by(getattr(cls, function)) if parameter.default is None}


class Node(Symbol):
    """A layer fed by other nodes: what calling a layer returns, and what feeds the next.

    ports: which input of the layer each of `inputs` feeds, in the order in which the layer lists them; the first ones
    where it is not given.
    """

    dtype = "float"
    ends: tuple[Node, Node] | None = None  # of two directions: the nodes whose last steps have read everything

    def __init__(self, layer: Layer, inputs: Sequence[Symbol], ports: Sequence[str] | None = None) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.label = layer.name or layer.default_name()
        check_complete(layer)
        self.specs = input_specs(layer, len(inputs), ports)
        self.ports = tuple(self.specs)
        check_inputs(_describe(layer, inputs), self.specs, inputs)
        try:
            fed = [source.shape if i else first_shape(layer, source) for i, source in enumerate(inputs)]
            self.declarations = initialized(self.arrays(fed), layer.init or {})
        except (ValueError, TypeError, IndexError) as error:
            raise GraphError(f"{_describe(layer, inputs)}: {error}") from None
        except Exception as error:
            remark(error, f"in arrays of the {_describe(layer, inputs)}")
            raise
        out = self.declarations["y"]
        check_arguments(layer, self.declarations)
        check_parameters(_describe(layer, inputs), self.declarations)
        self.shape = out.shape

    def arrays(self, shapes: Sequence[Shape]) -> dict[str, Declaration]:
        """What the layer declares for inputs of these shapes."""
        kind = type(self.layer).__name__
        if self.layer.variadic:
            return checked(kind, self.layer.arrays(*shapes))
        known = zip(self.layer.inputs, self.ports, strict=False)
        first = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], known))  # by place, as calls are written
        named = dict(zip(self.ports[first:], shapes[first:], strict=True))
        return checked(kind, self.layer.arrays(*shapes[:first], **named))

    @property
    def by_port(self) -> dict[str, Symbol]:
        """What feeds each connected input of the layer."""
        return dict(zip(self.ports, self.inputs, strict=True))

    def fed(self, port: str) -> Symbol | None:
        """What feeds an input of the layer; None where it is left out."""
        return self.by_port.get(port)


def first_shape(layer: Layer, source: Symbol) -> Shape:
    """The shape of a layer's first input: of an output, or of the state that the layer reads."""
    if layer.reads is None:
        return source.shape
    declarations = source.declarations if isinstance(source, Node) else {}
    states = {name: item for name, item in declarations.items() if isinstance(item, State)}
    if layer.reads not in states:
        there_are = f"it has {', '.join(states)}" if states else "only recurrent layers have states"
        raise ValueError(f"{source.label!r} has no state {layer.reads!r}: {there_are}")
    return states[layer.reads].shape


def connect(layer: Layer, inputs: Sequence[Any], named: Mapping[str, Any] | None = None) -> Node:
    """A node: the layer on these inputs, given one by one or as a list, and on those given by name."""
    given, ports = placed(layer, inputs, named or {})
    for source in given:
        if not isinstance(source, Symbol):
            raise GraphError(
                f"{layer.name or layer.default_name()}: a layer is called on an Input or on another layer's result, "
                f"got {type(source).__name__}; to try a layer on an array use Model.of(layer, array)"
            )
    return Node(layer, given, ports)


def placed(layer: Layer, inputs: Sequence[Any], named: Mapping[str, Any]) -> tuple[Sequence[Any], list[str] | None]:
    """What a layer is called on in the order of its inputs, and which these are where some are given by name."""
    by_place = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)) else inputs
    by_name = {name: symbol for name, symbol in named.items() if symbol is not None}
    if not by_name:
        return by_place, None
    ports = _ports(layer, len(by_place), by_name)
    return [*by_place, *(by_name[port] for port in ports[len(by_place) :])], ports


def _ports(layer: Layer, count: int, named: Collection[str]) -> list[str]:
    """The inputs of a layer of which the first `count` are given by their place and others by name."""
    known = [] if layer.variadic else list(layer.inputs)
    for name in named:
        if name not in known:
            takes = ", ".join(known) or "any number of nodes, by place"
            raise GraphError(f"{layer.type_name()} has no input {name!r}{suggest(name, known)} (it takes: {takes})")
        if name in known[:count]:
            raise GraphError(f"{layer.type_name()} is given its input {name!r} twice: by place and by name")
    return [name for i, name in enumerate(known) if i < count or name in named]


def input_specs(layer: Layer, count: int, ports: Sequence[str] | None = None) -> dict[str, InputSpec]:
    """The specs that inputs of a layer go to, in order: these ports, or the first `count`."""
    if layer.variadic:
        (spec,) = layer.inputs.values()
        if count == 0:
            raise GraphError(f"{layer.default_name()} needs at least one input")
        return {f"xs[{i}]": spec for i in range(count)}
    chosen = list(layer.inputs)[:count] if ports is None else ports
    missing = [name for name, spec in layer.inputs.items() if not spec.optional and name not in chosen]
    if missing or count > len(layer.inputs):
        names = ", ".join(f"{name}{' (optional)' if spec.optional else ''}" for name, spec in layer.inputs.items())
        raise GraphError(f"{layer.name or layer.default_name()} takes the inputs {names}; it got {count}")
    return {name: layer.inputs[name] for name in chosen}


def check_complete(layer: Layer) -> None:
    """A layer says what feeds it and which arrays it needs, and computes in both directions."""
    kind = type(layer).__name__
    for function in ("arrays", "forward", "backward"):
        if not hasattr(layer, function):
            raise GraphError(f"{kind} has no method {function!r}; a layer needs arrays, forward, backward")
    if not (isinstance(layer.inputs, dict) and all(isinstance(spec, InputSpec) for spec in layer.inputs.values())):
        example = 'such as {"x": InputSpec("... F")}'
        raise GraphError(f"{kind}.inputs should be InputSpecs by name, {example}; got {layer.inputs!r:.60}")


def check_arguments(layer: Layer, declarations: Mapping[str, Declaration]) -> None:
    """Every argument of forward and backward is an input, a declared array, or one of the names the executor gives."""
    for function in ("forward", "backward"):
        known, called = offered_arrays(layer, declarations, function), f"{type(layer).__name__}.{function}"
        if (first := first_of(getattr(type(layer), function))) in known:
            raise GraphError(f"{called} should take self first, and takes {first!r}")
        for name in layer.arguments(function):
            if name not in known and name not in layer.optional(function):
                there_are = f"(inputs and declared arrays: {', '.join(sorted(known))})"
                raise GraphError(f"{called} asks for {name!r}{suggest(name, known)} {there_are}")


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
