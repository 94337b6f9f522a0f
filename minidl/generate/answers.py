"""What of all that a model computes is its answer: the array that its loss compares with the targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.graph.layer import Layer
from minidl.layers import CRF, GaussianNLL, PoissonNLL
from minidl.layers.crf import viterbi
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
    """What the model says of independent sequences, as `said` gives it: valid until the next call."""
    model.reset_state()
    model.forward(**inputs)
    return said(model, inputs)


def said(model: Model, inputs: Mapping[str, Array]) -> Array:
    """What the last forward pass says in the terms of its targets.

    Logits, numbers and quantiles as they are; of GaussianNLL the means, of PoissonNLL the rates, of CRF the tags (T, B)
    of the highest score.
    """
    layer = loss_layer(model)
    found: Array = model.arrays[f"{answering_node(model)}/y"]
    if isinstance(layer, GaussianNLL):
        return found[..., : found.shape[-1] // 2]
    if isinstance(layer, PoissonNLL):
        return np.exp(found)
    if isinstance(layer, CRF):
        weights = (
            model.parameters[f"{model.graph.owners[model.graph.ends['loss']]}/{name}"] for name in ("A", "s", "e")
        )
        return viterbi(found, _lengths(inputs, *found.shape[:2]), *weights)
    return found


def _lengths(inputs: Mapping[str, Array], steps: int, sequences: int) -> Array:
    """The steps of each sequence: as they are given, or those that have a target."""
    if "lengths" in inputs:
        return np.asarray(inputs["lengths"])
    targets = inputs.get("targets")
    return np.full(sequences, steps) if targets is None else np.count_nonzero(np.asarray(targets) >= 0, axis=0)
