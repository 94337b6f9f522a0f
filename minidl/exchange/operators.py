"""The layers without a state as operators of ONNX: the equations are those of each layer's file."""

from __future__ import annotations

import math

from minidl.exchange.sequence_operators import without_padding
from minidl.exchange.sheet import Desk
from minidl.layers.activation import GELU_CUBIC, GELU_SCALE

KINDS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu"}
BEFORE_THE_START = -(2**63)  # where a slice that goes backwards ends


def activation(at: Desk) -> None:
    """One operator; both kinds of gelu are written out, for there is none in opset 17."""
    (x,) = at.inputs
    if at.layer.kind in KINDS:
        at.give(KINDS[at.layer.kind], x)
        return
    if at.layer.kind == "gelu":
        erf = at.put("Erf", at.put("Mul", x, at.constant("root_half", math.sqrt(0.5))))
        half = at.constant("half", 0.5)
        at.give("Mul", x, at.put("Add", at.put("Mul", erf, half), half))
        return
    factor = at.put("Mul", at.put("Mul", x, x), at.constant("cubic", 2 * GELU_SCALE * GELU_CUBIC))
    factor = at.put("Add", factor, at.constant("linear", 2 * GELU_SCALE))
    at.give("Mul", x, at.put("Sigmoid", at.put("Mul", x, factor)))


def add(at: Desk) -> None:
    """The sum of any number of inputs."""
    at.give("Sum", *at.inputs)


def concat(at: Desk) -> None:
    """Features side by side."""
    at.give("Concat", *at.inputs, axis=-1)


def dense(at: Desk) -> None:
    """A product and a bias."""
    (x,) = at.inputs
    if not at.layer.bias:
        at.give("MatMul", x, at.weight("W"))
        return
    at.give("Add", at.put("MatMul", x, at.weight("W")), at.weight("b"))


def dropout(at: Desk) -> None:
    """The identity, as always but in training."""
    at.give("Identity", *at.inputs)


def embedding(at: Desk) -> None:
    """Rows of the table."""
    at.give("Gather", at.weight("table"), *at.inputs, axis=0)


def layer_norm(at: Desk) -> None:
    """The normalisation over the last axes."""
    weights = at.weight("gain"), at.weight("bias")
    at.give("LayerNormalization", *at.inputs, *weights, axis=-at.layer.axes, epsilon=at.layer.eps)


def one_hot(at: Desk) -> None:
    """Rows that are written out."""
    at.give("OneHot", *at.inputs, at.constant("depth", at.node.shape[-1]), at.constant("off_on", [0.0, 1.0]), axis=-1)


def reverse(at: Desk) -> None:
    """All steps, or those of each sequence; what lies past its end is 0."""
    x = at.inputs[0]
    if at.lengths is not None:
        at.give("ReverseSequence", without_padding(at, x, at.lengths), at.lengths, time_axis=0, batch_axis=1)
        return
    end, start, time = at.constant("end", [-1]), at.constant("start", [BEFORE_THE_START]), at.constant("time", [0])
    at.give("Slice", x, end, start, time, end)


def mean(at: Desk) -> None:
    """The mean of any number of inputs."""
    at.give("Mean", *at.inputs)


def last_state(at: Desk) -> None:
    """What a recurrent layer ends with."""
    (source, *_) = at.sheet.model.graph.sources(at.name)
    at.give("Identity", at.sheet.ends[f"{source}/{at.layer.state}"])


def last(at: Desk) -> None:
    """The last step of each sequence."""
    at.give("Identity", last_step(at, at.inputs[0]))


def last_step(at: Desk, y: str) -> str:
    """The last step (B, F) of a value (T, B, F), of each sequence its own where there are lengths."""
    if at.lengths is None:
        return at.put("Gather", y, at.constant("end", -1), axis=0)
    step = at.put("Sub", at.lengths, at.constant("one", 1))
    index = at.put("Unsqueeze", step, at.constant("features", [1]))
    return at.put("GatherND", at.put("Transpose", y, perm=[1, 0, 2]), index, batch_dims=1)
