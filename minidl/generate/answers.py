"""What of all that a model computes is its answer: the array that its loss compares with the targets."""

from __future__ import annotations

import numpy as np

from minidl.generate.translate import is_translator, translated_ids
from minidl.graph.arrays import Array
from minidl.graph.layer import Layer
from minidl.layers import CRF, GaussianNLL, PoissonNLL, Quantile
from minidl.layers.crf import viterbi
from minidl.model import Model
from minidl.system.errors import UsageError


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
    return answer_on(model, **inputs)


def answer_on(model: Model, **inputs: Array) -> Array:
    """As `answer`, of sequences that go on from those of the call before: the state is carried over."""
    model.forward(**inputs)
    found: Array = model.arrays[f"{answering_node(model)}/y"]
    layer = loss_layer(model)
    if isinstance(layer, CRF):
        return best_classes(model, found, inputs.get("lengths", np.full(found.shape[1], len(found))))
    return point(layer, found) if isinstance(layer, (GaussianNLL, PoissonNLL)) else found


def best_classes(model: Model, outputs: Array, lengths: Array) -> Array:
    """The likeliest class of each output: each by itself, or of a CRF the tags (T, B) that are likeliest together."""
    name, layer = model.graph.ends.get("loss"), loss_layer(model)
    if not isinstance(layer, CRF):
        best: Array = outputs.argmax(axis=-1)
        return best
    A, s, e = (model.weights.arrays[f"{model.graph.owners[str(name)]}/{array}"] for array in ("A", "s", "e"))
    return np.maximum(viterbi(outputs, lengths, A, s, e), 0)


def point(layer: Layer | None, outputs: Array) -> Array:
    """One number for each that is predicted: of a distribution its mean, of quantiles the one nearest to the median."""
    if isinstance(layer, GaussianNLL):
        return outputs[..., : outputs.shape[-1] // 2]
    if isinstance(layer, PoissonNLL):
        rates: Array = np.exp(outputs)
        return rates
    if isinstance(layer, Quantile):
        middle = min(range(len(layer.quantiles)), key=lambda i: abs(layer.quantiles[i] - 0.5))
        return outputs[..., middle :: len(layer.quantiles)]
    return outputs
