"""What a model is made from: the results that it returns, by name, and inputs for arrays that are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from minidl.graph.arrays import Array, InputSpec
from minidl.graph.layer import Layer, Node
from minidl.graph.symbol import Input, Symbol, show
from minidl.system.errors import GraphError, expect


def named_results(loss: Node | None, outputs: Mapping[str, Symbol] | None) -> dict[str, Symbol]:
    """What `forward` returns, by name."""
    if not (loss is None or isinstance(loss, Symbol)):
        raise GraphError(f"the loss should be what a layer gave when it was called, got {type(loss).__name__}")
    if not (outputs is None or isinstance(outputs, Mapping)):
        raise GraphError(f"outputs are nodes by name, as in outputs={{'y': node}}, got {type(outputs).__name__}")
    if loss is not None and loss.shape != ():
        given = f"{loss.label!r} gives {show(loss.shape)}"
        raise GraphError(f"a loss is one number, but {given}; put SoftmaxCE or MSE after it")
    if outputs is None:
        outputs = {} if loss is None else {loss.inputs[0].label: loss.inputs[0]}
    if loss is None and not outputs:
        raise GraphError("a model needs a loss or outputs, as in Model(loss) or Model(outputs={'y': node})")
    if loss is not None and "loss" in outputs:
        raise GraphError("the name 'loss' is that of the loss: give the output another one")
    for name, node in outputs.items():
        expect(str, name, "an output has a name, by which model.forward returns it")
        if not isinstance(node, Symbol):
            given = type(node).__name__
            raise GraphError(f"output {name!r} should be what a layer gave when it was called, got {given}")
    return {**({} if loss is None else {"loss": loss}), **outputs}


def alone(layer: Layer, inputs: Sequence[ArrayLike], named: Mapping[str, ArrayLike]) -> tuple[Node, dict[str, Array]]:
    """A layer on inputs that are like these arrays, given by place and by name; and the arrays by the inputs' names."""
    feeds = named_arrays(layer, inputs, named)
    first = next(iter(feeds.values()), np.empty(0))
    symbols = {name: input_like(name, array, layer.inputs.get(name), first) for name, array in feeds.items()}
    placed = [symbols.pop(name) for name in list(feeds)[: len(inputs)]]
    return layer(*placed, **symbols), feeds


def named_arrays(layer: Layer, inputs: Sequence[ArrayLike], named: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Arrays that are given by place and by name, all by the names of the layer's inputs."""
    expect(Layer, layer, "what is tried on arrays is a layer, such as Dense(3)")
    names = [f"x{i + 1}" for i in range(len(inputs))] if layer.variadic else list(layer.inputs)
    if len(inputs) > len(names):
        raise GraphError(f"{layer.type_name()} takes the inputs {', '.join(names)}; it got {len(inputs)}")
    return {name: np.asarray(array) for name, array in [*zip(names, inputs, strict=False), *named.items()]}


def input_like(name: str, array: Array, spec: InputSpec | None = None, first: Array | None = None) -> Input:
    """An input to which an array can be fed, with the axes that a layer names, or else those of steps.

    first: what the layer's first input is fed; an array of leading sizes of it, (B,) or (T, B), is one of weights.
    """
    if spec is not None and spec.optional and spec.axes == "..." and first is not None and array.ndim < first.ndim:
        if first.ndim > 2 and array.shape == first.shape[1:2]:
            return Input(name, shape=("B",))
        if array.shape == first.shape[: array.ndim]:
            return Input(name, shape=("T", "B")[: array.ndim])
    letters = spec.axes.split() if spec is not None and "..." not in spec.axes else []
    if len(letters) != array.ndim:
        letters = ["T", "B"][-array.ndim :] if array.dtype.kind in "iu" else ["T", "B"][: array.ndim - 1]
    if array.dtype.kind in "iu":
        depth = int(array.max()) + 1 if array.size else 1
        return Input(name, dtype="int", depth=depth, shape=letters)
    axes = letters if letters == ["B"] else letters[: array.ndim - 1]
    return Input(name, shape=(*axes, *array.shape[len(axes) :]))
