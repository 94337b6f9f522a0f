"""The layers in C, one step of one sequence: the equations are those of each layer's file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from minidl import layers
from minidl.exchange.layouts import own_arrays
from minidl.graph.layer import Layer
from minidl.model import Model
from minidl.system.errors import UsageError

HELPERS = """\
static inline float NAME_sigmoid(float x) { return 0.5f * tanhf(0.5f * x) + 0.5f; }

/* y = x W + b, or y += x W where b is 0; x (n), W (n, m), y (m) */
static inline void NAME_affine(const float *x, int n, const float *W, const float *b, int m, float *y) {
  if (b) memcpy(y, b, (size_t)m * sizeof(float));
  for (int i = 0; i < n; i++) {
    const float xi = x[i];
    if (xi != 0.0f)
      for (int j = 0; j < m; j++) y[j] += xi * W[i * m + j];
  }
}
"""
FUNCTIONS = {
    "tanh": "tanhf({x})",
    "sigmoid": "NAME_sigmoid({x})",
    "relu": "({x} > 0.0f ? {x} : 0.0f)",
    "gelu": f"0.5f * {{x}} * (1.0f + erff({{x}} * {math.sqrt(0.5)!r}f))",
    "gelu_tanh": f"{{x}} * NAME_sigmoid({{x}} * ({2 * math.sqrt(2 / math.pi)!r}f + "
    f"{2 * math.sqrt(2 / math.pi) * 0.044715!r}f * {{x}} * {{x}}))",
}


class Writer:
    """The code of a model: its constants, its states, the room that a step takes, and its lines."""

    def __init__(self, model: Model, name: str) -> None:
        self.model, self.name = model, name
        self.constants: dict[str, Any] = {}
        self.states: dict[str, int] = {}
        self.locals: dict[str, int] = {}
        self.lines: list[str] = []
        self._values: dict[str, str] = {}

    def add(self, text: str) -> None:
        """A line of code; NAME stands for what everything begins with."""
        self.lines.append("  " + text.replace("NAME", self.name))

    def value(self, source: str) -> str:
        """Where the output of a node, or an input, is to be found."""
        return self._values.get(source) or identifier(source)

    def size(self, source: str) -> int:
        """How many numbers a node or an input gives at a step."""
        graph = self.model.graph
        return int((graph.nodes[source] if source in graph.nodes else graph.inputs[source]).shape[-1])

    def source(self, node: str) -> str:
        """What feeds a node, without lengths; UsageError where another input would be left out."""
        ports = dict(zip(self.model.graph.nodes[node].ports, self.model.graph.sources(node), strict=False))
        strange = set(ports) - {"x", "lengths", "ids"}
        if strange:
            raise UsageError(f"node {node!r}: there is no C code for its input {', '.join(sorted(strange))}")
        return ports.get("x") or ports["ids"]

    def room(self, node: str, size: int, what: str = "") -> str:
        """Numbers of a step, by a name of their own."""
        name = f"v_{identifier(node)}{what and '_'}{what}"
        self.locals[name] = size
        if not what:
            self._values[node] = name
        return name

    def constant(self, node: str, array: str) -> str:
        """A trained array of a node, or of the one whose weights it shares."""
        owner = self.model.graph.owners[node]
        name = f"w_{identifier(owner)}_{array}"
        self.constants[name] = own_arrays(self.model, owner)[array]
        return f"{self.name}_{name}"

    def bias(self, node: str, array: str, size: int) -> str:
        """A bias, or zeros where the layer has none."""
        if array in own_arrays(self.model, self.model.graph.owners[node]):
            return self.constant(node, array)
        self.constants[f"zeros_{size}"] = np.zeros(size)
        return f"{self.name}_zeros_{size}"

    def state(self, node: str, name: str, size: int) -> str:
        """What a node carries from step to step."""
        self.states[f"{identifier(node)}_{name}"] = size
        return f"state->{identifier(node)}_{name}"

    def lies_in(self, node: str, place: str) -> None:
        """Where the output of a node is found."""
        self._values[node] = place


def identifier(name: str) -> str:
    """A name of C.

    >>> identifier("char_lstm-001"), identifier("1st/Wx")
    ('char_lstm_001', 'm_1st_Wx')
    """
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if re.match(r"[A-Za-z]", plain) else f"m_{plain}"


def layer_of(at: Writer, node: str) -> Any:
    """The layer of a node."""
    return at.model.graph.nodes[node].layer


def each(at: Writer, size: int, body: str) -> None:
    """A line for each number k."""
    at.add(f"for (int k = 0; k < {size}; k++) {body}")


def one_hot(at: Writer, node: str) -> None:
    """A row of zeros with one 1."""
    y = at.room(node, at.size(node))
    at.add(f"memset({y}, 0, sizeof {y});")
    at.add(f"{y}[{at.value(at.source(node))}] = 1.0f;")


def embedding(at: Writer, node: str) -> None:
    """A row of the table."""
    y, size = at.room(node, at.size(node)), at.size(node)
    at.add(f"memcpy({y}, {at.constant(node, 'table')} + {size} * {at.value(at.source(node))}, sizeof {y});")


def dense(at: Writer, node: str) -> None:
    """A product and a bias."""
    y, size, x = at.room(node, at.size(node)), at.size(node), at.source(node)
    weights = f"{at.constant(node, 'W')}, {at.bias(node, 'b', size)}"
    at.add(f"NAME_affine({at.value(x)}, {at.size(x)}, {weights}, {size}, {y});")


def activation(at: Writer, node: str) -> None:
    """One function of each number."""
    y, x = at.room(node, at.size(node)), at.value(at.source(node))
    each(at, at.size(node), f"{y}[k] = {FUNCTIONS[layer_of(at, node).kind].format(x=f'{x}[k]')};")


def layer_norm(at: Writer, node: str) -> None:
    """The normalisation over the features."""
    layer, size = layer_of(at, node), at.size(node)
    if layer.axes != 1:
        raise UsageError(f"node {node!r}: there is no C code for a LayerNorm over several axes")
    y, x, part = at.room(node, size), at.value(at.source(node)), identifier(node)
    at.add(f"float mean_{part} = 0.0f, var_{part} = 0.0f;")
    each(at, size, f"mean_{part} += {x}[k] / {size}.0f;")
    each(at, size, f"var_{part} += ({x}[k] - mean_{part}) * ({x}[k] - mean_{part}) / {size}.0f;")
    root = f"sqrtf(var_{part} + {float(layer.eps)!r}f)"
    gain, bias = at.constant(node, "gain"), at.constant(node, "bias")
    each(at, size, f"{y}[k] = {gain}[k] * ({x}[k] - mean_{part}) / {root} + {bias}[k];")


def add(at: Writer, node: str) -> None:
    """The sum of all inputs."""
    y, terms = at.room(node, at.size(node)), [f"{at.value(source)}[k]" for source in at.model.graph.sources(node)]
    each(at, at.size(node), f"{y}[k] = {' + '.join(terms)};")


def multiply(at: Writer, node: str) -> None:
    """The product of all inputs."""
    y, factors = at.room(node, at.size(node)), [f"{at.value(source)}[k]" for source in at.model.graph.sources(node)]
    each(at, at.size(node), f"{y}[k] = {' * '.join(factors)};")


def concat(at: Writer, node: str) -> None:
    """Features side by side."""
    y, start = at.room(node, at.size(node)), 0
    for source in at.model.graph.sources(node):
        at.add(f"memcpy({y} + {start}, {at.value(source)}, {at.size(source)} * sizeof(float));")
        start += at.size(source)


def identity(at: Writer, node: str) -> None:
    """What comes out at a step is what goes in: dropout in use, and the last step, which is this one."""
    at.lies_in(node, at.value(at.source(node)))


def slice_(at: Writer, node: str) -> None:
    """Some of the features, where they are."""
    layer, x = layer_of(at, node), at.source(node)
    if layer.axis not in (-1, len(at.model.graph.nodes[node].shape) - 1):
        raise UsageError(f"node {node!r}: there is no C code for a Slice of another axis than the features")
    at.lies_in(node, f"({at.value(x)} + {range(at.size(x))[layer.start : layer.stop].start})")


WRITERS: dict[type[Layer], Callable[[Writer, str], None]] = {
    layers.Activation: activation,
    layers.Add: add,
    layers.Concat: concat,
    layers.Dense: dense,
    layers.Dropout: identity,
    layers.Embedding: embedding,
    layers.Last: identity,
    layers.LayerNorm: layer_norm,
    layers.Multiply: multiply,
    layers.OneHot: one_hot,
    layers.Slice: slice_,
}
