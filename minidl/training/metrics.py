"""What a number of batches says about a model: loss and the measures that go with it, weighted by what is counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.graph.layer import Layer
from minidl.layers import MSE, SigmoidCE, SoftmaxCE
from minidl.model import Model

Array = NDArray[Any]
LARGEST_EXPONENT = 700.0  # of a perplexity that a float can hold


class MetricAccumulator:
    """Sums over batches, from which averages are taken at the end.

    >>> MetricAccumulator().result("val", "char")
    {}
    """

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0.0
        self.classes: Array = np.zeros((3, 0), np.int64)  # hits, predictions and targets of each

    def add(self, model: Model, loss: float, inputs: Mapping[str, Array], *, measures: bool = True) -> None:
        """Count the batch that the model has just run on; `measures` adds what has to look at every prediction."""
        targets = _targets(model, inputs)
        inside = ... if targets is None else _inside(model, inputs, len(targets))
        n = 1.0 if targets is None else count_targets(targets[inside])
        self.count += n
        self._add("loss", loss * n if is_mean(model) else loss)
        if measures and targets is not None:
            prediction = model.arrays[f"{model.graph.sources(_loss_node(model))[0]}/y"]
            self._measure(_loss_layer(model), prediction[inside], targets[inside])

    def _measure(self, layer: Layer, prediction: Array, targets: Array) -> None:
        """Add what suits the kind of loss."""
        if isinstance(layer, SoftmaxCE):
            classes = count_classes(prediction.argmax(axis=-1), targets, prediction.shape[-1])
            self.classes = self.classes + classes if self.classes.size else classes
            self._add("accuracy", float(classes[0].sum()))
        elif isinstance(layer, SigmoidCE):
            self._add("accuracy", float(np.count_nonzero((prediction > 0) == (targets > 0.5))))
        elif isinstance(layer, MSE):
            self._add("mean_absolute_error", float(np.abs(prediction - targets).sum()))

    def _add(self, name: str, value: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + value

    def result(self, split: str, unit: str) -> dict[str, float]:
        """The averages as tags: "val/loss" in nats, and what follows from it for characters or words; else macro F1."""
        if not self.count:
            return {}
        averages = {name: value / self.count for name, value in self.sums.items()}
        if "loss" in averages:
            averages |= in_units(averages["loss"], unit)
        if unit == "step" and self.classes.size:
            averages["macro_f1"] = macro_f1(self.classes)
        return {f"{split}/{name}": value for name, value in averages.items()}


def in_units(loss: float, unit: str) -> dict[str, float]:
    """A loss in nats a symbol as people compare it: bits a character, or perplexity a word.

    >>> in_units(math.log(2), "char")
    {'bits_per_char': 1.0}
    """
    if unit == "char":
        return {"bits_per_char": loss / math.log(2)}
    if unit == "word":
        return {"perplexity": math.exp(min(loss, LARGEST_EXPONENT))}
    return {}


def count_classes(predicted: Array, targets: Array, classes: int) -> Array:
    """How often each class was hit, predicted, and asked for (3, classes); a target of -1 does not count.

    >>> count_classes(np.array([0, 1, 1, 0]), np.array([0, 0, 1, -1]), 2).tolist()
    [[1, 1], [1, 2], [2, 1]]
    """
    counted = targets >= 0
    predicted, targets = predicted[counted], targets[counted]
    kinds = (predicted[predicted == targets], predicted, targets)
    return np.stack([np.bincount(kind, minlength=classes) for kind in kinds])


def macro_f1(counts: Array) -> float:
    """F1 = 2 hits / (predicted + asked for), averaged over the classes that were predicted or asked for.

    counts: what `count_classes` gave, summed over batches.
    """
    hits, predicted, asked = counts
    occurs = predicted + asked > 0
    return float(np.mean(2 * hits[occurs] / (predicted + asked)[occurs]))


def unit_of_loss(model: Model, unit: str) -> str:
    """What a loss is told in: nats a symbol become bits or perplexity, and another loss than cross-entropy has none."""
    return unit if isinstance(_loss_layer(model), SoftmaxCE) else "step"


def count_targets(targets: Array) -> float:
    """How many targets count: all numbers, or all symbols that are not ignored (-1)."""
    if targets.dtype.kind == "f":
        return float(targets.size)
    return float(np.count_nonzero(targets >= 0))


def _targets(model: Model, inputs: Mapping[str, Array]) -> Array | None:
    """What the loss is measured against; None where that is no input, as for a sum of losses: batches count then."""
    sources = model.graph.sources(_loss_node(model))
    return inputs.get(sources[1]) if len(sources) > 1 else None


def _inside(model: Model, inputs: Mapping[str, Array], steps: int) -> Any:
    """Which steps of which sequences the loss counts: those within the lengths that it was given, or all."""
    name = _loss_node(model)
    ports = dict(zip(model.graph.nodes[name].ports, model.graph.sources(name), strict=True))
    return np.arange(steps)[:, None] < inputs[ports["lengths"]] if "lengths" in ports else ...


def _loss_node(model: Model) -> str:
    return model.graph.ends["loss"]


def _loss_layer(model: Model) -> Layer:
    return model.graph.nodes[_loss_node(model)].layer


def is_mean(model: Model) -> bool:
    """Whether the loss is a mean over targets, and not their sum."""
    return getattr(_loss_layer(model), "reduction", "mean") == "mean"
