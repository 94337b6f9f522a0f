"""Bidirectional: a recurrent layer that reads each sequence in both directions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from minidl.graph.arrays import LENGTHS, MadeName
from minidl.graph.layer import Layer, Node, input_specs, placed
from minidl.layers.cell import Cell
from minidl.layers.merge import Add, Concat, Mean
from minidl.layers.steps import Reverse


@dataclass(frozen=True)
class Bidirectional(Layer):
    """Two copies of a recurrent layer, one of which reads the steps backwards.

        y = [layer(x), reverse(layer'(reverse(x)))]        x (T, B, F), lengths (B,), y (T, B, 2H)

    It is made of other layers, which take its place in the graph: NAME_forward, NAME_backward, Reverse and Concat.
    layer: what to copy. merge: the halves side by side ("concat"), or their "sum" or "mean", y (T, B, H). With
    lengths, each sequence is reversed within its own.

    >>> from minidl import Input, Model
    >>> from minidl.layers import LSTM
    >>> model = Model(outputs={"y": Bidirectional(LSTM(3))(Input("x", depth=2))})
    >>> [name for name in model.graph.nodes if "ward" in name]
    ['bidirectional_forward', 'bidirectional_backward']

    Schuster and Paliwal 1997, section II B.
    """

    layer: Cell
    merge: Literal["concat", "sum", "mean"] = "concat"

    inputs: ClassVar = {"x": Cell.inputs["x"], "lengths": LENGTHS}

    @cached_property
    def directions(self) -> tuple[Cell, Cell]:
        """The two copies; made once, so that calling this object twice shares their weights."""
        name, made = self.name or self.default_name(), str if self.name else MadeName
        ways = (made(f"{name}_{way}") for way in ("forward", "backward"))
        forwards, backwards = (dataclasses.replace(self.layer, name=way) for way in ways)
        return forwards, backwards

    def __call__(self, *inputs: Any, **named: Any) -> Node:
        given, ports = placed(self, inputs, named)
        input_specs(self, len(given), ports)  # refuses what is missing, and what is too much
        x, *lengths = given
        forwards, backwards = self.directions
        ahead = forwards(x, *lengths)
        back = backwards(Reverse()(x, *lengths), *lengths)
        merge = {"concat": Concat, "sum": Add, "mean": Mean}[self.merge]
        both = merge(name=MadeName(self.name or self.default_name()))(ahead, Reverse()(back, *lengths))
        both.ends = (ahead, back)
        return both
