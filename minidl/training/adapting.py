"""Dynamic evaluation: a model that learns from what it has read, after that has been counted.

Text repeats itself: names, turns of phrase, a writer's spelling. With fixed weights a model meets each of them as if
for the first time. Here the weights take a step after every window, strictly after its loss was counted, and are drawn
back to the trained ones.

Krause, Kahembwe, Murray, Renals 2018, "Dynamic evaluation of neural sequence models", equations 3 to 7.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from minidl.config.declared import Declared
from minidl.data.batches import Batches
from minidl.data.streams import Streams
from minidl.graph.arrays import Array
from minidl.graph.operations import norm
from minidl.model import Model
from minidl.system.errors import UsageError
from minidl.training.metrics import MetricAccumulator, unit_of_loss

SCALED_BY = 64  # batches of training data over which gradients are squared
Rule = Literal["rms", "sgd"]
RATES: dict[Rule, tuple[float, ...]] = {"rms": (1e-4, 3e-4, 1e-3, 3e-3), "sgd": (0.03, 0.1, 0.3)}  # `tune` tries them
DECAYS, WINDOWS = (0.0, 0.003), (20, 50)


@dataclass(frozen=True)
class Adaptation(Declared, family="adaptation", abstract=False):
    """How a model learns while it reads.

        sgd    θ ← θ - lr g + decay (θ₀ - θ)
        rms    θ ← θ - lr g / (s + eps) + min(1, decay s / mean(s)) (θ₀ - θ),    s = √(mean of g² over training data)

    rule: sgd, or the paper's rms. lr: learning rate. decay: share of the way back to the trained weights θ₀ that each
    step takes. window: steps of time that are counted, and then learnt from. clip_norm: bound of the gradient's norm.

    >>> Adaptation(lr=0.001)
    Adaptation(lr=0.001)
    """

    rule: Rule = "rms"
    lr: Annotated[float, Gt(0)] = 3e-4
    decay: Annotated[float, Ge(0)] = 0.003
    window: Annotated[int, Gt(0)] = 20
    clip_norm: Annotated[float, Gt(0)] = 1.0

    def __str__(self) -> str:
        return f"rule {self.rule}, lr {self.lr:g}, decay {self.decay:g}, window {self.window}"


class AdaptingModel:
    """A copy of a language model that learns from every window it has read. The model itself is left alone.

    scale: for the rule rms, what `gradient_scale` gave; a vector of ones where there are no training data.

    >>> from minidl import Input
    >>> from minidl.layers import Dense, OneHot, SoftmaxCE
    >>> targets = Input("targets", dtype="int", depth=2)
    >>> model = Model(SoftmaxCE()(Dense(2)(OneHot()(Input("ids", dtype="int", depth=2))), targets))
    >>> reader, ones = AdaptingModel(model, Adaptation("sgd", lr=0.5)), np.ones((20, 1), int)
    >>> first, second = reader.read(ones, ones), reader.read(ones, ones)
    >>> second < first
    True
    """

    def __init__(self, model: Model, adaptation: Adaptation, scale: Array | None = None) -> None:
        if "loss" not in model.graph.results:
            raise UsageError("a model that learns while it reads needs a loss: make it as Model(loss)")
        self.model = model.replica(dtype=model.weights.flat.dtype)
        self.adaptation = adaptation
        self._trained = self.model.weights.flat.copy()
        self._scale = np.ones_like(self._trained) if scale is None else scale.astype(self._trained.dtype)
        self._pull = np.minimum(1, adaptation.decay * self._scale / self._scale.mean())

    def read_text(self, text: str) -> None:
        """Learn from a text, from its beginning to its end; symbols that the vocabulary lacks are left out."""
        vocabulary = self.model.vocabulary
        if vocabulary is None:
            raise UsageError("this model has no vocabulary, so that it cannot read a text")
        ids = vocabulary.encode(text, unknown="skip")
        if len(ids) > 1:
            streams = Streams(ids, 1, self.adaptation.window, partial=True)
            for step in range(streams.steps_per_epoch):
                inputs = streams.batch(step).inputs
                self.read(inputs["ids"], inputs["targets"])

    def read(self, ids: Array, targets: Array) -> float:
        """The loss of a window, ids and targets (T, B), with the weights as they were; then one step of learning."""
        loss = self.count(ids, targets)
        self.learn()
        return loss

    def count(self, ids: Array, targets: Array) -> float:
        """The loss of a window; nothing is learnt yet."""
        loss: float = self.model.forward(ids=ids, targets=targets)["loss"]
        return loss

    def learn(self) -> None:
        """One step of learning from the window that was counted last."""
        self.model.backward()
        gradient, flat = self.model.executor.gradient, self.model.weights.flat
        length = norm(gradient)
        if not np.isfinite(length):
            return  # what cannot be learnt from is only counted
        gradient *= self.adaptation.lr * min(1.0, self.adaptation.clip_norm / length) if length else 0.0
        if self.adaptation.rule == "rms":
            gradient /= self._scale + 1e-8
            flat += self._pull * (self._trained - flat)
        else:
            flat += self.adaptation.decay * (self._trained - flat)
        flat -= gradient
        self.model.weights.version += 1


def gradient_scale(model: Model, batches: Batches) -> Array:
    """√(mean of g²) of each weight over some batches of the training data, for the rule rms (equation 5)."""
    reader = model.replica(dtype=model.weights.flat.dtype)
    squares = np.zeros(reader.weights.flat.size)
    count = min(SCALED_BY, batches.steps_per_epoch)
    for step in range(count):
        batch = batches.batch(step * (batches.steps_per_epoch // count))
        reader.reset_state()
        reader.forward(**batch.inputs)
        reader.backward()
        squares += reader.executor.gradient.astype(np.float64) ** 2
    root = np.sqrt(squares / count)
    scale: Array = np.maximum(root, root.mean() * 1e-3)  # a weight that training data never moved is not moved far
    return scale


def evaluate_adapting(
    model: Model, batches: Batches, adaptation: Adaptation, *, split: str, unit: str, scale: Array | None = None
) -> dict[str, float]:
    """Loss and measures over one pass in which a copy of the model learns from each window after it was counted.

    batches: of a text, read from its beginning to its end as one stream. Returns tags such as "val_adapted/loss".
    """
    reader, accumulator = AdaptingModel(model, adaptation, scale), MetricAccumulator()
    for inputs in _windows(batches, adaptation.window):
        loss = reader.count(inputs["ids"], inputs["targets"])
        accumulator.add(reader.model, loss, inputs)
        reader.learn()
    return accumulator.result(f"{split}_adapted", unit_of_loss(model, unit))


def tune(model: Model, batches: Batches, scale: Array | None, *, unit: str, symbols: int = 20_000) -> Adaptation:
    """The settings that do best on the first symbols of the validation part: rule, rate, decay and window."""
    part = Streams(_ids(batches)[: symbols + 1], 1, WINDOWS[0], partial=True)

    @cache
    def loss(tried: Adaptation) -> float:
        return evaluate_adapting(model, part, tried, split="val", unit=unit, scale=scale)["val_adapted/loss"]

    grid = [Adaptation(rule, lr, decay, WINDOWS[0]) for rule in RATES for lr in RATES[rule] for decay in DECAYS]
    best = min(grid, key=loss)
    return min((dataclasses.replace(best, window=window) for window in WINDOWS), key=loss)


def _windows(batches: Batches, window: int) -> Iterator[dict[str, Array]]:
    ids = _ids(batches)
    streams = Streams(ids, 1, window, partial=True)
    return (streams.batch(step).inputs for step in range(streams.steps_per_epoch))


def _ids(batches: Batches) -> Array:
    if not isinstance(batches, Streams):
        raise UsageError("only a model of a text learns while it reads; its data are read in another way")
    return batches.ids()
