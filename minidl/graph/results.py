"""What a model is made from: the results that it returns, by name, and inputs for arrays that are at hand."""

from __future__ import annotations

from collections.abc import Mapping

from minidl.graph.arrays import Array, InputSpec
from minidl.graph.layer import Node
from minidl.graph.symbol import Input, Symbol, show
from minidl.system.errors import GraphError


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
        if not isinstance(node, Symbol):
            given = type(node).__name__
            raise GraphError(f"output {name!r} should be what a layer gave when it was called, got {given}")
    return {**({} if loss is None else {"loss": loss}), **outputs}


def input_like(name: str, array: Array, spec: InputSpec | None = None) -> Input:
    """An input to which an array can be fed, with the axes that a layer names, or else those of steps."""
    letters = spec.axes.split() if spec is not None and "..." not in spec.axes else []
    if len(letters) != array.ndim:
        letters = ["T", "B"][-array.ndim :] if array.dtype.kind in "iu" else ["T", "B"][: array.ndim - 1]
    if array.dtype.kind in "iu":
        depth = int(array.max()) + 1 if array.size else 1
        return Input(name, dtype="int", depth=depth, shape=letters)
    axes = letters if letters == ["B"] else letters[: array.ndim - 1]
    return Input(name, shape=(*axes, *array.shape[len(axes) :]))
