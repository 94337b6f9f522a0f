"""Where in TensorBoard's drawing of a graph each node goes; a "/" in the place makes a group that can be opened."""

from __future__ import annotations

from minidl.graph.graph import Graph
from minidl.layers import Concat


def boxes(graph: Graph) -> dict[str, str]:
    """A place for each node: its name, or for the parts of a Bidirectional one within its group.

    >>> from minidl import Input, Model
    >>> from minidl.layers import LSTM, Bidirectional
    >>> graph = Model(outputs={"y": Bidirectional(LSTM(3), name="both")(Input("x", depth=2))}).graph
    >>> boxes(graph)["both_forward"], boxes(graph)["both"]
    ('both/forward', 'both/concat')
    """
    places = {name: name for name in graph.nodes}
    for name in graph.nodes:
        prefix = f"{graph.nodes[name].layer.name}_"
        for part in _parts(graph, name):
            own = graph.nodes[part].layer.name or part
            places[part] = f"{name}/{'concat' if part == name else own.removeprefix(prefix)}"
    return places


def _parts(graph: Graph, name: str) -> set[str]:
    """The nodes that a call of Bidirectional made, of which `name` is the last; none for any other node."""
    layer, ahead = graph.nodes[name].layer, graph.sources(name)[0]
    first = graph.nodes.get(ahead)
    if not isinstance(layer, Concat) or first is None or first.layer.name != f"{layer.name}_forward":
        return set()
    while ahead in graph.nodes and str(graph.nodes[ahead].layer.name).startswith(f"{layer.name}_"):
        ahead = graph.sources(ahead)[0]
    return (graph.needed_for([name]) - graph.needed_for([ahead])) & graph.nodes.keys()
