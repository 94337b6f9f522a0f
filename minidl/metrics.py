"""What a number of batches says about a model: loss and the measures that go with it, weighted by what is counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.layers import MSE, SigmoidCE, SoftmaxCE
from minidl.model import Model

Array = NDArray[Any]
LARGEST_EXPONENT = 700.0  # of a perplexity that a float can hold


class Tally:
    """Sums over batches, from which averages are taken at the end.

    >>> Tally().result("val", "char")
    {}
    """

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0.0

    def add(self, model: Model, loss: float, inputs: Mapping[str, Array], *, measures: bool = True) -> None:
        """Count the batch that the model has just run on; `measures` adds what has to look at every prediction."""
        targets = inputs[target_name(model)]
        n = count_targets(model, targets)
        self.count += n
        self._add("loss", loss * n if _is_mean(model) else loss)
        if measures:
            for name, value in _measures(model, targets).items():
                self._add(name, value)

    def _add(self, name: str, value: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + value

    def result(self, split: str, unit: str) -> dict[str, float]:
        """The averages as tags: "val/loss" in nats, and what follows from it for characters or words."""
        if not self.count:
            return {}
        averages = {name: value / self.count for name, value in self.sums.items()}
        if "loss" in averages:
            averages |= in_units(averages["loss"], unit)
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


def target_name(model: Model) -> str:
    """The input that the loss is measured against."""
    return model.graph.sources(_loss_node(model))[1]


def count_targets(model: Model, targets: Array) -> float:
    """How many targets count: all numbers, or all symbols that are not ignored (-1)."""
    if targets.dtype.kind == "f":
        return float(targets.size)
    return float(np.count_nonzero(targets >= 0))


def _loss_node(model: Model) -> str:
    return model.graph.names[model.graph.results["loss"]]


def _is_mean(model: Model) -> bool:
    layer = model.graph.nodes[_loss_node(model)].layer
    return getattr(layer, "reduction", "mean") == "mean"


def _measures(model: Model, targets: Array) -> dict[str, float]:
    """Sums of what suits the kind of loss."""
    node = _loss_node(model)
    layer = model.graph.nodes[node].layer
    prediction = model.arrays[f"{model.graph.sources(node)[0]}/y"]
    if isinstance(layer, SoftmaxCE):
        return {"accuracy": float(np.count_nonzero(prediction.argmax(axis=-1) == targets))}
    if isinstance(layer, SigmoidCE):
        return {"accuracy": float(np.count_nonzero((prediction > 0) == (targets > 0.5)))}
    if isinstance(layer, MSE):
        return {"mean_absolute_error": float(np.abs(prediction - targets).sum())}
    return {}
