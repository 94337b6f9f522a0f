"""Recurrent layers that stand on each other, or read in two directions: one module in other programs."""

from __future__ import annotations

from dataclasses import dataclass

from minidl.graph.graph import Graph
from minidl.layers import Concat, Dropout, Reverse
from minidl.layers.cell import Cell

FORWARD, BACKWARD = "forward", "backward"


@dataclass(frozen=True)
class Level:
    """One layer of a stack: its node, or two for both directions, what feeds it, and where its output comes out."""

    nodes: tuple[str, ...]
    source: str
    output: str


def directions(graph: Graph) -> dict[str, tuple[str, str]]:
    """For each half of a Bidirectional: the name of the whole, and which way it reads."""
    found: dict[str, tuple[str, str]] = {}
    for level in levels(graph):
        if len(level.nodes) == 2:
            base = level.nodes[0].removesuffix(f"_{FORWARD}")
            found |= {level.nodes[0]: (base, FORWARD), level.nodes[1]: (base, BACKWARD)}
    return found


def stacks(graph: Graph) -> dict[str, tuple[str, int, str]]:
    """For each recurrent node: the module it is in, its level, and "_reverse" where it reads backwards."""
    found: dict[str, tuple[str, int, str]] = {}
    tops: dict[str, tuple[str, int, Level]] = {}  # the highest level of each module, by its output
    for level in levels(graph):
        below = tops.pop(level.source, None) if _feeds_only(graph, level) else tops.get(level.source)
        if below is not None and _feeds_only(graph, level) and _alike(graph, below[2], level):
            module, number = below[0], below[1] + 1
        else:
            module, number = level.nodes[0].removesuffix(f"_{FORWARD}") if len(level.nodes) == 2 else level.nodes[0], 0
        tops[level.output] = module, number, level
        for node, end in zip(level.nodes, ("", "_reverse"), strict=False):
            found[node] = module, number, end
    return found


def levels(graph: Graph) -> list[Level]:
    """Every recurrent layer that holds weights, the halves of a Bidirectional together."""
    found, taken = [], set()
    for name, node in graph.nodes.items():
        if not isinstance(node.layer, Cell) or graph.owners[name] != name or name in taken:
            continue
        source = _through_dropout(graph, graph.sources(name)[0])
        backward = _other_half(graph, name, source)
        if backward is None:
            found.append(Level((name,), source, name))
        else:
            other, output = backward
            taken.add(other)
            found.append(Level((name, other), source, output))
    return found


def _other_half(graph: Graph, name: str, source: str) -> tuple[str, str] | None:
    """The layer that reads the same backwards, and the node where both come together."""
    for concat, node in graph.nodes.items():
        parts = graph.sources(concat)
        if not isinstance(node.layer, Concat) or len(parts) != 2 or parts[0] != name or parts[1] not in graph.nodes:
            continue
        back = parts[1]
        if not isinstance(graph.nodes[back].layer, Reverse):
            continue
        other = graph.sources(back)[0]
        if other not in graph.nodes or type(graph.nodes[other].layer) is not type(graph.nodes[name].layer):
            continue
        turned = _through_dropout(graph, graph.sources(other)[0])
        is_turned = turned in graph.nodes and isinstance(graph.nodes[turned].layer, Reverse)
        if is_turned and _through_dropout(graph, graph.sources(turned)[0]) == source:
            return other, concat
    return None


def _through_dropout(graph: Graph, name: str) -> str:
    while name in graph.nodes and isinstance(graph.nodes[name].layer, Dropout):
        name = graph.sources(name)[0]
    return name


def _feeds_only(graph: Graph, level: Level) -> bool:
    """Whether nothing but this level reads what feeds it."""
    if level.source not in graph.nodes or level.source in graph.ends.values():
        return False
    readers = {
        reader
        for reader in graph.nodes
        if level.source in [_through_dropout(graph, name) for name in graph.sources(reader)[:1]]
        or level.source in graph.sources(reader)
    }
    inside = {reader for reader in readers if isinstance(graph.nodes[reader].layer, (Dropout, Reverse))}
    return readers - inside <= set(level.nodes)


def _alike(graph: Graph, below: Level, above: Level) -> bool:
    """Whether two levels are of one module: the same kind, size and directions."""
    kinds = [
        (type(layer), layer.units, getattr(layer, "activation", None), len(level.nodes))
        for level in (below, above)
        for layer in (graph.nodes[node].layer for node in level.nodes)
        if isinstance(layer, Cell)
    ]
    return len(set(kinds)) == 1
