"""Reverse, Last and LastState: the steps of a sequence backwards, and what there is at its end, padded or not."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from minidl.graph.arrays import LENGTHS, Array, Declaration, InputSpec, MadeName, Out, Shape, State
from minidl.graph.graph import Graph
from minidl.graph.layer import Layer, Node, connect
from minidl.system.errors import GraphError

SEQUENCES = {"x": InputSpec("T B F"), "lengths": LENGTHS}


@dataclass(frozen=True)
class Reverse(Layer):
    """The steps of each sequence in reverse order; steps past its length stay where they are.

        y[t] = x[L - 1 - t] for t < L, else x[t]        x (T, B, F), lengths (B,), y (T, B, F)

    >>> from minidl import Model
    >>> Model.of(Reverse(), np.array([[[1.0]], [[2.0]]])).arrays["reverse/y"].ravel().tolist()
    [2.0, 1.0]
    """

    inputs: ClassVar = SEQUENCES

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        return {"y": Out(x)}

    def forward(self, x: Array, lengths: Array | None, y: Array) -> None:
        reverse(x, lengths, out=y)

    def backward(self, lengths: Array | None, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            reverse(dy, lengths, out=dx)  # reversing is its own inverse


def reverse(x: Array, lengths: Array | None, out: Array) -> None:
    """The steps of x backwards, each sequence within its length."""
    if lengths is None:
        out[...] = x[::-1]
        return
    out[...] = x
    for b, length in enumerate(lengths.tolist()):
        out[:length, b] = x[:length, b][::-1]


@dataclass(frozen=True)
class Last(Layer):
    """The last step of each sequence.

        y = x[L - 1]        x (T, B, F), lengths (B,), y (B, F);  L is T where there are no lengths

    After a recurrent layer or `Bidirectional` that was given lengths, L are those. After `Bidirectional` it is both
    ends, as PyTorch's h_n: the half that reads backwards says at step 0 what it knows in the end, so both read all.
    Not so where another layer stands between the two; `minidl run --dry-run` warns.

    >>> from minidl import Model
    >>> Model.of(Last(), np.array([[[1.0]], [[2.0]]])).arrays["last/y"].tolist()
    [[2.0]]
    """

    inputs: ClassVar = SEQUENCES

    def __call__(self, *inputs: Any, **named: Any) -> Node:
        source = named.get("x", inputs[0] if inputs else None)
        given = named.get("lengths", inputs[1] if len(inputs) > 1 else None)
        if not isinstance(source, Node) or len(inputs) > 2:
            return connect(self, inputs, named)
        lengths = given if given is not None else source.fed("lengths")
        if source.ends is None:
            return connect(self, [source], {"lengths": lengths})
        name = self.name or self.default_name()
        halves = ((f"{name}_{way}", half) for way, half in zip(("forward", "backward"), source.ends, strict=True))
        ends = [Last(name=MadeName(half_name))(half, lengths=lengths) for half_name, half in halves]
        return dataclasses.replace(source.layer, name=self.name or MadeName(name))(*ends)

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        return {"y": Out(x[1:])}

    def forward(self, x: Array, lengths: Array | None, y: Array) -> None:
        y[...] = x[-1] if lengths is None else x[lengths - 1, np.arange(len(y))]

    def backward(self, lengths: Array | None, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        dx[...] = 0
        if lengths is None:
            dx[-1] = dy
        else:
            dx[lengths - 1, np.arange(len(dy))] = dy


@dataclass(frozen=True)
class LastState(Layer):
    """A state of a recurrent layer as it is after the last step of each sequence.

        y = c[L], or h[L]        after LSTM(...)(x, lengths); y (B, H);  L is T where it was given no lengths

    It begins another layer: `LSTM(8)(y, h0=LastState()(encoder), c0=LastState("c")(encoder))`. state: which one.

    >>> from minidl import Input, Model
    >>> from minidl.layers import LSTM
    >>> model = Model(outputs={"c": LastState("c")(LSTM(3)(Input("x", depth=2)))})
    >>> model.forward(x=np.zeros((5, 1, 2)))["c"].shape
    (1, 3)

    Sutskever, Vinyals, Le 2014, section 2: the state in which an encoder ends is where its decoder begins.
    """

    state: str = "h"

    inputs: ClassVar = SEQUENCES

    @property
    def reads(self) -> str:
        """The state of the layer before it."""
        return self.state

    def __call__(self, *inputs: Any, **named: Any) -> Node:
        source = inputs[0] if len(inputs) == 1 and not named else None
        if source is None:
            raise GraphError("LastState follows one recurrent layer, whose lengths it knows, as in LastState()(node)")
        return connect(self, [source], {"lengths": source.fed("lengths") if isinstance(source, Node) else None})

    def arrays(self, x: Shape, lengths: Shape | None = None) -> dict[str, Declaration]:
        return {"y": Out(x[1:])}

    def forward(self, x: Array, lengths: Array | None, y: Array) -> None:
        y[...] = x[-1] if lengths is None else x[lengths, np.arange(len(y))]

    def backward(self, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            dx[...] = dy  # of the last step alone


def one_sided(graph: Graph) -> list[str]:
    """The nodes that take the last step of a sequence that was turned round: there, one symbol has been read."""
    found = []
    for name, node in graph.nodes.items():
        stack = [node.inputs[0]] if isinstance(node.layer, Last) else []
        while stack:
            source = stack.pop()
            if isinstance(source, Node) and isinstance(source.layer, Reverse):
                found.append(name)
                break
            if isinstance(source, Node) and not any(isinstance(item, State) for item in source.declarations.values()):
                stack += source.inputs
    return found
