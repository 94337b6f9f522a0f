"""What of all that a model computes is its answer: the array that its loss compares with the targets."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from minidl.generate.translate import is_translator, translated_ids
from minidl.graph.layer import Layer
from minidl.model import Model
from minidl.system.errors import UsageError

Array = NDArray[Any]


def loss_layer(model: Model) -> Layer | None:
    """The layer that is minimised; None in a model without a loss."""
    name = model.graph.ends.get("loss")
    return None if name is None else model.graph.nodes[name].layer


def answering_node(model: Model) -> str:
    """The node that the loss compares with the targets; without a loss the only output.

    >>> from minidl import Input
    >>> from minidl.layers import Dense
    >>> answering_node(Model(outputs={"y": Dense(2, name="logits")(Input("x", depth=3))}))
    'logits'
    """
    ends = dict(model.graph.ends)
    loss = ends.pop("loss", None)
    if loss is not None:
        return model.graph.sources(loss)[0]
    if len(ends) != 1:
        raise UsageError(f"this model has several outputs and no loss, so that none is the answer: {', '.join(ends)}")
    return next(iter(ends.values()))


def answer(model: Model, **inputs: Array) -> Array:
    """What the model computes before its loss, on independent sequences: its own buffer, valid until the next call."""
    if is_translator(model) and "ids" not in inputs:
        return translated_ids(model, inputs["source"], inputs["lengths"])
    model.reset_state()
    model.forward(**inputs)
    found: Array = model.arrays[f"{answering_node(model)}/y"]
    return found
