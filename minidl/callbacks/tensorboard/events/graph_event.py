"""The layer graph, as TensorBoard's Graphs tab draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minidl.callbacks.tensorboard.events.protos import load_protos
from minidl.callbacks.tensorboard.events.text_event import encodable


@dataclass(frozen=True)
class GraphNode:
    """One box of the drawing; a "/" in the name puts it into a group that can be opened.

    name: unique. op: the kind, such as "LSTM"; equal kinds get equal colours. inputs: names of the
    nodes that feed it. shape: of its output, None where it varies. attributes: shown on a click.

    >>> GraphNode("encoder/lstm", "LSTM", ("ids",), (None, None, 128), {"units": "128"}).op
    'LSTM'
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    shape: tuple[int | None, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


def graph_def(nodes: Sequence[GraphNode]) -> bytes:
    """A serialised GraphDef of the nodes.

    >>> load_protos().GraphDef.FromString(graph_def([GraphNode("ids", "Input")])).node[0].name
    'ids'
    """
    protos = load_protos()
    graph = protos.GraphDef(node=[_node_def(node) for node in nodes], versions=protos.VersionDef(producer=22))
    return bytes(graph.SerializeToString())


def _node_def(node: GraphNode) -> Any:
    protos = load_protos()
    shape = protos.TensorShapeProto(
        dim=[protos.TensorShapeProto.Dim(size=-1 if size is None else size) for size in node.shape]
    )
    attributes = {name: protos.AttrValue(s=encodable(value).encode()) for name, value in node.attributes.items()}
    attributes["_output_shapes"] = protos.AttrValue(list=protos.AttrValue.ListValue(shape=[shape]))
    return protos.NodeDef(name=node.name, op=node.op, input=node.inputs, attr=attributes)
