"""A model's graph as TensorBoard draws it: a box for each layer with weights, which opens to show them."""

from __future__ import annotations

import dataclasses

from minidl.callbacks.tensorboard.boxes import boxes
from minidl.callbacks.tensorboard.events import GraphNode
from minidl.graph.arrays import Param, Shape, Tied
from minidl.graph.graph import Graph
from minidl.graph.summary import parameter_count
from minidl.graph.symbol import Axis


def layer_graph(graph: Graph) -> list[GraphNode]:
    """Inputs and layers with shapes, hyperparameters and numbers of parameters.

    A layer with weights is a group of them and of what computes, and so are the parts of a Bidirectional. Weights that
    several layers share are drawn once, with an edge to each.
    """
    drawn = [
        GraphNode(name, "Input", (), _open_axes(node.shape), {"dtype": node.dtype, "depth": str(node.depth)})
        for name, node in graph.inputs.items()
    ]
    box, kind = boxes(graph), {name: type(node.layer).__name__ for name, node in graph.nodes.items()}
    place = {name: f"{box[name]}/{kind[name]}" if _weights(graph, name) else box[name] for name in graph.nodes}
    for name, node in graph.nodes.items():
        fed = [place.get(source, source) for source in graph.sources(name)]
        for array, owner in _weights(graph, name).items():
            fed.append(f"{box[owner]}/{array}")
            declared = node.declarations.get(array)
            if owner == name and isinstance(declared, Param):
                init = str(getattr(declared.init, "__name__", declared.init))
                drawn.append(GraphNode(fed[-1], "Parameter", (), declared.shape, {"init": init}))
        drawn.append(GraphNode(place[name], kind[name], tuple(fed), _open_axes(node.shape), _facts(graph, name)))
    return drawn


def _weights(graph: Graph, name: str) -> dict[str, str]:
    """The weights that a node computes with, as arrays of the nodes that own them."""
    declared = graph.nodes[name].declarations
    own = {array: graph.owners[name] for array, item in declared.items() if isinstance(item, Param)}
    tied = {item.array: graph.owners[item.node] for item in declared.values() if isinstance(item, Tied)}
    return own | tied


def _facts(graph: Graph, name: str) -> dict[str, str]:
    layer = graph.nodes[name].layer
    settings = {item.name: getattr(layer, item.name) for item in dataclasses.fields(layer) if item.name != "name"}
    given = {key: str(value) for key, value in settings.items() if value is not None}
    return {**given, "parameters": f"{parameter_count(graph, name):,}"}


def _open_axes(shape: Shape) -> tuple[int | None, ...]:
    return tuple(None if isinstance(size, Axis) else int(size) for size in shape)
