"""What a number of batches says about a model: loss and the measures that go with it, weighted by what is counted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minidl.generate.answers import answering_node, best_classes, point
from minidl.generate.translate import is_translator
from minidl.graph.arrays import Array
from minidl.graph.layer import Layer
from minidl.graph.symbol import Axis
from minidl.layers import CRF, MAE, MSE, GaussianNLL, Huber, PoissonNLL, Quantile, SigmoidCE, SoftmaxCE
from minidl.model import Model
from minidl.training.class_measures import (
    LARGEST_MATRIX,
    class_report,
    confusion,
    count_classes,
    macro_f1,
    weighted_f1,
)
from minidl.training.entities import EntityCounts, is_of_entities
from minidl.training.error_measures import Coverage, ErrorSums

LARGEST_EXPONENT = 700.0  # of a perplexity that a float can hold


class MetricAccumulator:
    """Sums over batches, from which averages are taken at the end.

    classes: their names, where more than averages is asked for: see `details`.

    >>> MetricAccumulator().result("val", "char")
    {}
    """

    def __init__(self, classes: Sequence[str] | None = None) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0.0
        self.sequences = 0
        self.classes: Array = np.zeros((3, 0), np.int64)  # hits, predictions and targets of each
        self.errors, self.coverage = ErrorSums(), Coverage()
        self._names = classes
        self._matrix: Array = np.zeros((0, 0), np.int64)
        self._entities = EntityCounts() if is_of_entities(classes or ()) else None

    def add(
        self,
        model: Model,
        loss: float,
        inputs: Mapping[str, Array],
        *,
        measures: bool = True,
        predictions: Array | None = None,
    ) -> None:
        """Count the batch that the model has just run on; `measures` adds what has to look at every prediction.

        predictions: those that are measured, in the place of what the model holds.
        """
        targets = targets_of(model, inputs)
        inside = ... if targets is None else inside_of(model, inputs, len(targets))
        n = 1.0 if targets is None else count_targets(targets[inside])
        self.count += n
        self._add("loss", loss * n if is_mean(model) else loss)
        unknown = None if model.vocabulary is None else model.vocabulary.unknown
        if unknown is not None and targets is not None and targets.dtype.kind != "f":
            self._add("unknown", float(np.count_nonzero(targets[inside] == unknown)))
        if measures and targets is not None:
            predictions = predicted(model) if predictions is None else predictions
            assert predictions is not None
            self._measure(model, predictions, targets, inside)

    def __add__(self, other: MetricAccumulator) -> MetricAccumulator:
        """Both together, without what only `details` tells."""
        found = MetricAccumulator()
        for part in (self, other):
            found.count += part.count
            found.sequences += part.sequences
            for name, value in part.sums.items():
                found._add(name, value)
            if part.classes.size:
                found._keep_counts(part.classes)
        found.errors = self.errors + other.errors
        return found

    def _measure(self, model: Model, prediction: Array, targets: Array, inside: Any) -> None:
        """Add what suits the kind of loss."""
        layer = _loss_layer(model)
        if isinstance(layer, (SoftmaxCE, CRF)):
            if targets.dtype.kind == "f":  # probabilities
                targets = targets.argmax(axis=-1)
            best = best_classes(model, prediction, (targets >= 0).sum(axis=0))
            self._count_classes(best[inside], targets[inside], prediction.shape[-1])
            if is_translator(model):
                self.sequences += targets.shape[1]
                self._add("exact", float(((best == targets) | (targets < 0)).all(axis=0).sum()))
            if self._entities is not None and targets.ndim == 2:
                self._count_entities(best, np.where(inside, targets, -1) if inside is not ... else targets)
        elif isinstance(layer, SigmoidCE):
            yes, wanted = (prediction > 0)[inside], (targets > 0.5)[inside]
            self._add("accuracy", float(np.count_nonzero(yes == wanted)))
            kinds = (kind.reshape(-1, kind.shape[-1]).sum(axis=0) for kind in (yes & wanted, yes, wanted))
            self._keep_counts(np.stack(list(kinds)))
        elif isinstance(layer, (MSE, MAE, Huber, GaussianNLL, PoissonNLL, Quantile)):
            of_example = _shape_of_target(model)
            pair = (array[inside].reshape(-1, *of_example) for array in (point(layer, prediction), targets))
            self.errors.add(*pair)
            if isinstance(layer, Quantile):
                quantiles = prediction.reshape(*targets.shape, len(layer.quantiles))
                self.coverage.add(layer.quantiles, quantiles[inside], targets[inside])

    def _count_classes(self, predicted: Array, targets: Array, classes: int) -> None:
        counts = count_classes(predicted, targets, classes)
        self._add("accuracy", float(counts[0].sum()))
        self._keep_counts(counts)
        if self._names is not None and classes <= LARGEST_MATRIX:
            matrix = confusion(predicted, targets, classes)
            self._matrix = self._matrix + matrix if self._matrix.size else matrix

    def _keep_counts(self, counts: Array) -> None:
        self.classes = self.classes + counts if self.classes.size else counts

    def _count_entities(self, predicted: Array, targets: Array) -> None:
        """Count the entities of each sequence (T, B); a target of -1 is none of its steps."""
        assert self._names is not None
        assert self._entities is not None
        for b in range(targets.shape[1]):
            counted = targets[:, b] >= 0
            found, wanted = ([self._names[i] for i in ids[counted, b].tolist()] for ids in (predicted, targets))
            self._entities.add(found, wanted)

    def _add(self, name: str, value: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + value

    def result(self, split: str, unit: str) -> dict[str, float]:
        """The averages as tags: "val/loss" in nats, and what follows from it for characters or words; else F1."""
        if not self.count:
            return {}
        averages = {name: value / self.count for name, value in self.sums.items()}
        unknown = averages.pop("unknown", None)
        if self.sequences:  # of a translator: translations that are right to the last symbol, written greedily
            averages["exact"] = self.sums["exact"] / self.sequences
        if "loss" in averages:
            averages |= in_units(averages["loss"], unit)
        if unknown is not None and "perplexity" in averages:
            averages["unknown"] = unknown  # the share of targets that are "<unk>", which are easily guessed
        if unit == "step":
            averages |= self._scores()
        return {f"{split}/{name}": value for name, value in averages.items()}

    def _scores(self) -> dict[str, float]:
        """What is no average over targets."""
        found = {}
        if self.classes.size and self.classes[1:].any():
            found = {"macro_f1": macro_f1(self.classes), "weighted_f1": weighted_f1(self.classes)}
        if self._entities is not None:
            found["entity_f1"] = self._entities.f1
        if self.errors.count:
            found["mean_absolute_error"] = self.errors.mean_absolute()
            found["root_mean_squared_error"] = self.errors.root_mean_squared()
            found["r2"] = self.errors.r2()
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def details(self) -> dict[str, Any]:
        """What does not fit into one number, as plain data: nothing where no names of classes were given.

        classes: precision, recall, F1 and support of each. confusion: how often each (row) was taken for each, in the
        same order. entities: as classes, for exact spans of tags such as B-PER. coverage: see `Coverage`.
        """
        found: dict[str, Any] = {}
        if self._names and len(self._names) == self.classes.shape[1]:
            found["classes"] = class_report(self.classes, self._names)
            if self._matrix.size:
                found["confusion"] = self._matrix.tolist()
        if self._entities is not None:
            found["entities"] = self._entities.report()
        if self.coverage.count:
            found["coverage"] = self.coverage.report()
        return found


def predicted(model: Model) -> Array | None:
    """What the last forward pass answered, in the model's own buffer; None where the loss compares no answer."""
    return model.executor.arrays().get(f"{answering_node(model)}/y")


def in_units(loss: float, unit: str) -> dict[str, float]:
    """A loss in nats a symbol as people compare it: bits a character, or perplexity a word or subword.

    >>> in_units(math.log(2), "char")
    {'bits_per_char': 1.0}
    """
    if unit == "char":
        return {"bits_per_char": loss / math.log(2)}
    if unit in ("word", "bpe"):
        return {"perplexity": math.exp(min(loss, LARGEST_EXPONENT))}
    return {}


def unit_of_loss(model: Model, unit: str) -> str:
    """What a loss is told in: nats a symbol become bits or perplexity, and another loss than cross-entropy has none."""
    return unit if isinstance(_loss_layer(model), SoftmaxCE) else "step"


def count_targets(targets: Array) -> float:
    """How many targets count: all numbers, or all symbols that are not ignored (-1)."""
    if targets.dtype.kind == "f":
        return float(targets.size)
    return float(np.count_nonzero(targets >= 0))


def targets_of(model: Model, inputs: Mapping[str, Array]) -> Array | None:
    """What the loss is measured against; None where that is no input, as for a sum of losses: batches count then."""
    sources = model.graph.sources(loss_node(model))
    return inputs.get(sources[1]) if len(sources) > 1 else None


def inside_of(model: Model, inputs: Mapping[str, Array], steps: int) -> Any:
    """Which steps of which sequences the loss counts: those within the lengths that it was given, or all."""
    name = loss_node(model)
    ports = dict(zip(model.graph.nodes[name].ports, model.graph.sources(name), strict=True))
    return np.arange(steps)[:, None] < inputs[ports["lengths"]] if "lengths" in ports else ...


def _shape_of_target(model: Model) -> tuple[int, ...]:
    """The numbers of one example, or of one step of it."""
    targets = model.graph.inputs[model.graph.sources(loss_node(model))[1]]
    fixed = tuple(int(axis) for axis in targets.shape if not isinstance(axis, Axis))
    return fixed or (1,)


def loss_node(model: Model) -> str:
    """The node that is minimised."""
    return model.graph.ends["loss"]


def _loss_layer(model: Model) -> Layer:
    return model.graph.nodes[loss_node(model)].layer


def is_mean(model: Model) -> bool:
    """Whether the loss is a mean over targets, and not their sum."""
    return getattr(_loss_layer(model), "reduction", "mean") == "mean"
