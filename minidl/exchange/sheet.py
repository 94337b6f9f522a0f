"""What an ONNX graph is made of, put together layer by layer as plain Python: operators, constants, states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidl.graph.arrays import Array, Tied
from minidl.graph.layer import Node
from minidl.model import Model

ABSENT = ""  # in the place of an input that an operator is not given


@dataclass(frozen=True)
class Operator:
    """One operator: its kind, the names of its inputs and outputs, its attributes."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


@dataclass
class Sheet:
    """Operators in the order in which they run, and constants by name.

    states: the size H of what a recurrent layer carries and the graph is given, by "node/state". ends: what the value
    of each state after the last step is called.
    """

    model: Model
    operators: list[Operator] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)

    def put(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        """An operator after the others."""
        self.operators.append(Operator(kind, list(inputs), list(outputs), attributes))

    def constant(self, name: str, array: Array) -> str:
        """A constant, of a name once; floats are float32."""
        dtype = np.float32 if array.dtype.kind == "f" else np.int64
        self.constants.setdefault(name, np.array(array, dtype, order="C"))
        return name

    def value(self, source: str) -> str:
        """What the value of a node, or an input, is called."""
        return source if source in self.model.graph.inputs else f"{source}/y"


class Desk:
    """Where the operators of one node are put together: its inputs, its weights, its output."""

    def __init__(self, sheet: Sheet, name: str) -> None:
        graph = sheet.model.graph
        self.sheet, self.name, self.owner = sheet, name, graph.owners[name]
        self.node: Node = graph.nodes[name]
        self.layer: Any = self.node.layer
        self.inputs = [sheet.value(source) for source in graph.sources(name)]
        self.lengths = self.fed("lengths")  # where sequences end, if the layer is told

    def fed(self, port: str) -> str | None:
        """What feeds an input of the layer; None where it is left out."""
        source = self.node.fed(port)
        return None if source is None else self.sheet.value(self.sheet.model.graph.names[source])

    def put(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """An operator; what its output is called."""
        return self.put_many(kind, inputs, 1, **attributes)[0]

    def put_many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """An operator with several outputs."""
        number = len(self.sheet.operators)
        names = [f"{self.name}/{kind}_{number}_{output}" for output in range(outputs)]
        self.sheet.put(kind, inputs, names, **attributes)
        return names

    def give(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The operator that gives the output of the node."""
        out = self.sheet.value(self.name)
        self.sheet.put(kind, inputs, [out], **attributes)
        return out

    def array(self, name: str) -> Array:
        """A trained array."""
        return self.sheet.model.weights.arrays[f"{self.owner}/{name}"]

    def constant(self, name: str, value: Any) -> str:
        """A constant of the layer's own; layers that share weights share these too."""
        return self.sheet.constant(f"{self.owner}/{name}", np.asarray(value))

    def weight(self, name: str) -> str:
        """A trained array as a constant; one that is tied is that of another node, transposed."""
        declared = self.node.declarations[name]
        if isinstance(declared, Tied):
            return self.put("Transpose", Desk(self.sheet, declared.node).weight(declared.array))
        return self.constant(name, self.array(name))
