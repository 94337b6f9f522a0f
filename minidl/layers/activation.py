"""Activation: an element-wise non-linearity as a layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from minidl.graph.arrays import Array, Cache, Declaration, InputSpec, Out, Shape
from minidl.graph.layer import Layer
from minidl.graph.operations import erf, sigmoid, sigmoid_slope, tanh_slope

GELU_SCALE = math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715


@dataclass(frozen=True)
class Activation(Layer):
    """An element-wise function.

        tanh       y = tanh x                                       dx = dy (1 - y²)
        sigmoid    y = σ(x) = 1 / (1 + e⁻ˣ)                         dx = dy y (1 - y)
        relu       y = max(x, 0)                                    dx = dy [x > 0]
        gelu       y = x Φ(x),  Φ(x) = ½ (1 + erf(x / √2))          dx = dy (Φ(x) + x φ(x)),  φ(x) = e^(-x²/2) / √(2π)
        gelu_tanh  y = x s,  s = σ(2u),  u = √(2/π) (x + 0.044715 x³)
                                                                    dx = dy (s + 2 x u' s (1 - s))

    kind: which of them. x (...), y (...).

    >>> from minidl import Model
    >>> Model.of(Activation("relu"), np.array([[[-1.0, 2.0]]])).arrays["activation/y"].tolist()
    [[[0.0, 2.0]]]

    gelu_tanh approximates gelu, ½ (1 + tanh u) = σ(2u): Hendrycks and Gimpel 2016, section 2. PyTorch, Keras and ONNX
    mean by gelu what is gelu here.
    """

    kind: Literal["tanh", "sigmoid", "relu", "gelu", "gelu_tanh"]

    inputs = {"x": InputSpec("...")}

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        gate = x if self.kind.startswith("gelu") else (0,)
        return {"gate": Cache(gate), "y": Out(x)}

    def forward(self, x: Array, gate: Array, y: Array) -> None:
        if self.kind == "tanh":
            np.tanh(x, out=y)
        elif self.kind == "sigmoid":
            sigmoid(x, out=y)
        elif self.kind == "relu":
            np.maximum(x, 0, out=y)
        elif self.kind == "gelu":
            for k in range(len(x)):  # step by step, here and below: all steps at once would need more arrays
                gate[k] = 0.5 * (1 + erf(x[k] * math.sqrt(0.5)))
            np.multiply(x, gate, out=y)
        else:
            np.multiply(x, x, out=gate)
            gate *= 2 * GELU_SCALE * GELU_CUBIC
            gate += 2 * GELU_SCALE
            gate *= x
            sigmoid(gate, out=gate)
            np.multiply(x, gate, out=y)

    def backward(self, x: Array, gate: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        if self.kind == "tanh":
            tanh_slope(y, out=dx)
        elif self.kind == "sigmoid":
            sigmoid_slope(y, out=dx)
        elif self.kind == "relu":
            np.greater(y, 0, out=dx, casting="unsafe")
        elif self.kind == "gelu":
            for k in range(len(x)):
                dx[k] = gate[k] + x[k] * np.exp(-0.5 * x[k] * x[k]) / math.sqrt(2 * math.pi)
        else:
            self._gelu_tanh_slope(x, gate, y, out=dx)
        dx *= dy

    def _gelu_tanh_slope(self, x: Array, gate: Array, y: Array, out: Array) -> None:
        """s + 2 x u' s (1 - s), where x s = y and 2u' = 2 √(2/π) (1 + 3 · 0.044715 x²)."""
        np.multiply(x, x, out=out)
        out *= 6 * GELU_SCALE * GELU_CUBIC
        out += 2 * GELU_SCALE
        out *= y
        for k in range(len(out)):
            out[k] *= 1 - gate[k]
        out += gate
