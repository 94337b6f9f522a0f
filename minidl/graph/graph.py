"""The graph that a model is: named nodes, each after those that feed it. It holds no memory and can be written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minidl.graph.arrays import MadeName, Param, Tied
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
        self.owners: dict[
            str, str
        ] = {}  # node -> the node whose parameters it uses (its own name but for shared layers)
        order = _in_order(results.values())
        for node in order:
            if isinstance(node, Input):
                self._add_input(node)
        self._given = {name for node in order if isinstance(node, Node) and (name := _given_name(node)) is not None}
        for node in order:
            if isinstance(node, Node):
                self._add_node(node)
        self.names: dict[Symbol, str] = {node: name for name, node in {**self.inputs, **self.nodes}.items()}
        # The node or input that each result is.
        self.ends = {result: self.names[node] for result, node in self.results.items()}

    def _add_input(self, node: Input) -> None:
        if node.name in self.inputs:
            raise GraphError(f"two inputs are named {node.name!r}: use one Input object for both, or two names")
        self.inputs[node.name] = node

    def _add_node(self, node: Node) -> None:
        owner = next((name for name, other in self.nodes.items() if other.layer is node.layer), None)
        given = _given_name(node)
        if given is not None:
            self._check_given(given, owner)
        if owner is not None:
            self._check_shared(owner, node)
        base = node.layer.name or node.layer.default_name()
        taken = {*self.nodes, *self.inputs, *(self._given - {given})}
        name = base if base not in taken else next(f"{base}_{i}" for i in range(2, 10**6) if f"{base}_{i}" not in taken)
        for declared in node.declarations.values():
            if isinstance(declared, Tied):
                self._check_tie(name, declared)
        self.nodes[name] = node
        self.owners[name] = self.owners[owner] if owner else name

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
        return tuple(self.names[node] for node in self.nodes[name].inputs)

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
            layer = {**node.layer.config(), "name": name, "inputs": list(self.sources(name))}
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
            fields = {key: value for key, value in item.items() if key not in ("inputs", "shares")}
            layer = layers[item["shares"]] if "shares" in item else Layer.from_config(fields)
            layers[item["name"]] = layer
            known[item["name"]] = Node(layer, [known[name] for name in item["inputs"]])
        return cls({name: known[node] for name, node in config["results"]})


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
