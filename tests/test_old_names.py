"""Model files of the first release import names where these were then."""

from __future__ import annotations

from minidl import Input, Layer
from minidl import layer as old_layer
from minidl import node as old_node
from minidl.graph.arrays import Out
from minidl.graph.layer import Node


def test_names_of_the_first_release_lead_to_those_of_today() -> None:
    assert old_node.Input is Input
    assert old_node.Node is Node
    assert old_layer.Layer is Layer
    assert old_layer.Out is Out
