"""The graph that a model is: named nodes, each after those that feed it. It holds no memory and can be written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from minidl.graph.arrays import MadeName, Param, Tied
from minidl.graph.initializers import is_known
from minidl.graph.layer import Layer, Node
from minidl.graph.symbol import Input, Symbol, show
from minidl.system.errors import GraphError, suggest


class Graph:
    """All nodes that some results depend on, named, each after those that feed it.

    results: nodes by the name under which `model.forward` returns them; the loss, if any, is named "loss".
    """

    def __init__(self, results: Mapping[str, Symbol]) -> None:
        self.results = dict(results)
        self.inputs: dict[str, Input] = {}
        self.nodes: dict[str, Node] = {}
        self.owners: dict[str, str] = {}  # by node, the one whose parameters it uses: itself, but for shared layers
        self._by_layer: dict[int, str] = {}  # the first node of each layer object
        self._next: dict[str, int] = {}  # the number that a name taken before is tried with
        order = _in_order(results.values())
        for node in order:
            if isinstance(node, Input):
                self._add_input(node)
        self._given = {name for node in order if isinstance(node, Node) and (name := _given_name(node)) is not None}
        for node in order:
            if isinstance(node, Node):
                self._add_node(node)
        self.names: dict[Symbol, str] = {node: name for name, node in {**self.inputs, **self.nodes}.items()}
        self._sources = {
            name: tuple([self.names[source] for source in node.inputs]) for name, node in self.nodes.items()
        }
        # The node or input that each result is.
        self.ends = {result: self.names[node] for result, node in self.results.items()}

    def _add_input(self, node: Input) -> None:
        if node.name in self.inputs:
            raise GraphError(f"two inputs are named {node.name!r}: use one Input object for both, or two names")
        self.inputs[node.name] = node

    def _add_node(self, node: Node) -> None:
        owner = self._by_layer.get(id(node.layer))
        given = _given_name(node)
        if given is not None:
            self._check_given(given, owner)
        if owner is not None:
            self._check_shared(owner, node)
        name = self._free_name(node.layer.name or node.layer.default_name(), given)
        for declared in node.declarations.values():
            if isinstance(declared, Tied):
                self._check_tie(name, declared)
        self.nodes[name] = node
        self._by_layer.setdefault(id(node.layer), name)
        self.owners[name] = self.owners[owner] if owner else name

    def _free_name(self, base: str, given: str | None) -> str:
        """The name itself, or with the first number that nothing else has."""
        name, i = base, self._next.get(base, 2)
        while name in self.nodes or name in self.inputs or (name in self._given and name != given):
            name, i = f"{base}_{i}", i + 1
        self._next[base] = i
        return name

    def _check_given(self, name: str, owner: str | None) -> None:
        if "/" in name or not name.strip():
            raise GraphError(f"a layer cannot be named {name!r}: arrays are called NODE/ARRAY")
        if name in self.inputs:
            raise GraphError(f"a layer and an input are both named {name!r}: give one of them another name")
        if name in self.nodes and owner is None:
            raise GraphError(f"two layers are named {name!r}: give one of them another name")

    def _check_shared(self, owner: str, node: Node) -> None:
        for array, declared in self.nodes[owner].declarations.items():
            other = node.declarations[array]
            if isinstance(declared, Param) and other.shape != declared.shape:
                fed = ", ".join(f"{source.label!r} {show(source.shape)}" for source in node.inputs)
                raise GraphError(
                    f"node {owner!r} is shared, but its {array} has shape {declared.shape} there and would have "
                    f"{other.shape} where it is fed by {fed}: use a second layer"
                )

    def _check_tie(self, name: str, tied: Tied) -> None:
        if tied.node not in self.nodes:
            raise GraphError(
                f"node {name!r} is tied to {tied.node!r}, which is not a node before it"
                f"{suggest(tied.node, self.nodes)} (nodes: {', '.join(self.nodes) or 'none'})"
            )
        array = self.nodes[tied.node].declarations.get(tied.array)
        if not isinstance(array, Param) or array.shape != tied.shape[::-1]:
            raise GraphError(
                f"node {name!r} needs a {tied.array!r} of shape {tied.shape[::-1]} in {tied.node!r} to share, "
                f"found {array.shape if isinstance(array, Param) else 'none'}"
            )

    def sources(self, name: str) -> tuple[str, ...]:
        """Names of the nodes and inputs that feed a node."""
        return self._sources[name]

    def needed_for(self, ends: Iterable[str]) -> set[str]:
        """The nodes and inputs that some nodes depend on, themselves included."""
        needed = set(ends)
        for name in reversed(self.nodes):
            if name in needed:
                needed.update(self.sources(name))
        return needed

    @cached_property
    def readers(self) -> dict[str, list[str]]:
        """The nodes that each node or input feeds, by its name."""
        found: dict[str, list[str]] = {name: [] for name in self.names.values()}
        for name in self.nodes:
            for source in dict.fromkeys(self.sources(name)):
                found[source].append(name)
        return found

    def parameters(self) -> dict[str, Param]:
        """Every trained array by "node/array", in the order of the nodes."""
        return {
            f"{name}/{array}": declared
            for name, node in self.nodes.items()
            if self.owners[name] == name
            for array, declared in node.declarations.items()
            if isinstance(declared, Param)
        }

    def config(self) -> dict[str, Any]:
        """The graph as plain data; `Graph.from_config` makes an equal one."""
        nodes = []
        for name, node in self.nodes.items():
            fed = self.sources(name)
            by_place = node.layer.variadic or node.ports == tuple(node.layer.inputs)[: len(fed)]
            inputs = list(fed) if by_place else dict(zip(node.ports, fed, strict=True))
            layer = {**node.layer.config(), "name": name, "inputs": inputs}
            if self.owners[name] != name:
                layer["shares"] = self.owners[name]
            nodes.append(layer)
        return {
            "inputs": [node.config() for node in self.inputs.values()],
            "nodes": nodes,
            "results": [[*end] for end in self.ends.items()],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Graph:
        """The graph that `config()` described."""
        known: dict[str, Symbol] = {item["name"]: Input(**item) for item in config["inputs"]}
        layers: dict[str, Layer] = {}
        for item in config["nodes"]:
            fields = {key: _loadable(key, value) for key, value in item.items() if key not in ("inputs", "shares")}
            layer = layers[item["shares"]] if "shares" in item else Layer.from_config(fields)
            layers[item["name"]] = layer
            known[item["name"]] = _revived(layer, item["inputs"], known)
        return cls({name: known[node] for name, node in config["results"]})


def _loadable(key: str, value: Any) -> Any:
    """A field of a layer, without initializers that only the program that wrote it knew: its weights are loaded."""
    if not isinstance(value, Mapping):
        return value
    if key == "init":
        return {array: name for array, name in value.items() if not isinstance(name, str) or is_known(name)}
    return {inner: _loadable(inner, item) for inner, item in value.items()}


def _revived(layer: Layer, sources: Any, known: Mapping[str, Symbol]) -> Node:
    """A node as it was written down: fed by a list of names, or by names for some inputs of the layer."""
    if not isinstance(sources, Mapping):
        return Node(layer, [known[name] for name in sources])
    ports = [port for port in layer.inputs if port in sources]
    if len(ports) < len(sources):
        raise GraphError(f"node {layer.name!r} has no inputs {', '.join(map(str, sources.keys() - set(ports)))}")
    return Node(layer, [known[sources[port]] for port in ports], ports)


def _given_name(node: Node) -> str | None:
    """The name that the user gave; made names keep out of its way."""
    name = node.layer.name
    return None if isinstance(name, MadeName) else name


def _in_order(ends: Iterable[Symbol]) -> list[Symbol]:
    """Every node that the ends depend on, each after its inputs (depth first, without recursion)."""
    order: list[Symbol] = []
    done: set[Symbol] = set()
    stack = [(node, False) for node in reversed(list(ends))]
    while stack:
        node, expanded = stack.pop()
        if node in done:
            continue
        if expanded:
            done.add(node)
            order.append(node)
        else:
            stack.append((node, True))
            stack.extend((source, False) for source in reversed(node.inputs))
    return order
