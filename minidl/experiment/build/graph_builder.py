"""From `layers:` and `loss:` of an experiment to nodes: each follows the one above it, or names what feeds it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minidl.config.build import revive
from minidl.config.findings import A_NAME, Checked, Finding, Path, shown
from minidl.data.batches import Dataset
from minidl.experiment.build.sections import NAME
from minidl.graph.arrays import Tied
from minidl.graph.graph import Graph
from minidl.graph.layer import Layer, Node
from minidl.graph.symbol import Input, Symbol
from minidl.system.errors import GraphError, suggest


@dataclass(frozen=True)
class Plan:
    """A node that a file describes, at a path of the file: its layer, its name, and what feeds it.

    A layer of None has mistakes; a name of None is not known because of them. ports: which inputs of the layer the
    sources feed, where the file names them. item: what the file says.
    """

    layer: Layer | None
    name: str | None
    sources: tuple[str, ...] | None
    path: Path
    ports: tuple[str, ...] | None = None
    item: Any = None


def plan_layers(layers: Any, path: Path, before: Sequence[Plan] = ()) -> Checked[list[Plan]]:
    """The nodes of a list.

    before: those of the list with other facts of the data, which stay what they are where no fact is referred to.
    """
    if not isinstance(layers, list) or not layers:
        example = "[{type: LSTM, units: 128}, ...]"
        yield Finding(path, f"layers should be a list of layers, such as {example}, got {shown(layers)}")
        return []
    sound = {plan.path: plan for plan in before if plan.layer is not None}
    plans = []
    for i, item in enumerate(layers):
        known = sound.get((*path, i))
        plans.append(known if known and known.item == item else (yield from plan_node(item, (*path, i))))
    return plans


def plan_node(item: Any, path: Path) -> Checked[Plan]:
    """One node: a layer's settings, and `inputs`: a name, a list of names, or names by input of the layer."""
    if not isinstance(item, Mapping):
        yield Finding(path, f"a layer is written as {{type: NAME, ...}}, got {shown(item)}")
        return Plan(None, None, None, path)
    fields, sources = split_node(item)
    ports = tuple(sources) if isinstance(sources, Mapping) else None
    sources = list(sources.values()) if isinstance(sources, Mapping) else sources
    layer = yield from revive(Layer, fields, path, beside=["inputs"])
    name = fields.get("name")
    if isinstance(name, str) and not re.fullmatch(NAME, name):
        yield Finding((*path, "name"), f"'name' should be {A_NAME}, got {name!r}")
        layer, name = None, None
    if sources is not None and not (isinstance(sources, list) and all(isinstance(source, str) for source in sources)):
        wanted = "the name of a node, a list of names such as [lstm, skip], or {x: lstm, lengths: lengths}"
        yield Finding((*path, "inputs"), f"'inputs' should be {wanted}, got {shown(sources)}")
        layer, sources = None, None
    made = layer.default_name() if layer is not None else None
    name = name if isinstance(name, str) else made
    return Plan(layer, name, None if sources is None else tuple(sources), path, ports, item)


def split_node(item: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The layer's own settings, and what feeds it."""
    fields = dict(item)
    sources = fields.pop("inputs", None)
    return fields, [sources] if isinstance(sources, str) else sources


def data_inputs(data: Dataset) -> dict[str, Symbol]:
    """An Input for each array that the data gives."""
    return {
        name: Input(name, dtype=spec.dtype, depth=spec.depth, shape=spec.shape) for name, spec in data.inputs.items()
    }


class Chain:
    """Nodes being wired one after the other. What cannot be made is a mistake; what follows it is not judged.

    known: inputs and nodes by name, None where there is a mistake. last: what the next node follows.
    """

    def __init__(self, inputs: Mapping[str, Symbol]) -> None:
        self.known: dict[str, Symbol | None] = dict(inputs)
        self.last = next(iter(inputs))
        self._paths: dict[str, Path] = {}
        self._used: set[str] = set()
        self._all_named = True
        self._next: dict[str, int] = {}  # the number that a name taken before is tried with

    def add(self, plan: Plan) -> Checked[Node | None]:
        """Put a layer on what feeds it."""
        names = plan.sources if plan.sources is not None else (self.last,)
        self._used.update(names)
        fed = [self.known.get(source) for source in names]
        yield from self._unknown(names, (*plan.path, "inputs"))
        self._all_named &= plan.name is not None
        name = yield from self._new_name(plan)
        node = None if plan.layer is None or None in fed else (yield from self._connect(plan, name, fed))
        self.known[name], self._paths[name], self.last = node, plan.path, name
        return node

    def put(self, node: Node | None, path: Path) -> None:
        """Go on from a node that was wired elsewhere; None where there is none."""
        name = "?" if node is None else node.label
        self.known[name], self._paths[name], self.last = node, path, name
        self._all_named &= node is not None

    def unused(self) -> Iterator[Finding]:
        """Refuse nodes that feed nothing: the model would silently leave them out."""
        for name, path in self._paths.items():
            if name not in self._used and name != self.last:
                message = f"nothing follows {name!r}: name it in the inputs of another layer, or leave it out"
                yield Finding(path, message)

    def _connect(self, plan: Plan, name: str, fed: list[Any]) -> Checked[Node | None]:
        assert plan.layer is not None
        layer = plan.layer if plan.layer.name == name else dataclasses.replace(plan.layer, name=name)
        try:
            node = layer(*fed) if plan.ports is None else layer(**dict(zip(plan.ports, fed, strict=True)))
            if any(isinstance(declared, Tied) for declared in node.declarations.values()):
                Graph({name: node})  # ties are checked here
        except GraphError as error:
            yield Finding(plan.path, str(error))
            return None
        return node

    def _unknown(self, names: Sequence[str], path: Path) -> Iterator[Finding]:
        for i, name in enumerate(names):
            if name not in self.known and self._all_named:
                so_far = f"{suggest(name, self.known)} (so far: {', '.join(self.known)})"
                yield Finding((*path, i), f"there is no node {name!r} above{so_far}")

    def _new_name(self, plan: Plan) -> Checked[str]:
        base = plan.name or "?"  # no name that a file can give
        if base not in self.known:
            return base
        if plan.layer is not None and plan.layer.name is not None:
            message = f"there is a node or input named {base!r} already: choose another name"
            yield Finding((*plan.path, "name"), message)
            self._all_named = False
        name, i = base, self._next.get(base, 2)
        while name in self.known:
            name, i = f"{base}_{i}", i + 1
        self._next[base] = i
        return name
