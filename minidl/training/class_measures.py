"""How well classes were told apart: counts of a confusion matrix, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidl.graph.arrays import Array

LARGEST_MATRIX = 512  # classes; of more only hits, predictions and targets are counted


def count_classes(predicted: Array, targets: Array, classes: int) -> Array:
    """How often each class was hit, predicted, and asked for (3, classes); a target of -1 does not count.

    >>> count_classes(np.array([0, 1, 1, 0]), np.array([0, 0, 1, -1]), 2).tolist()
    [[1, 1], [1, 2], [2, 1]]
    """
    counted = targets >= 0
    predicted, targets = predicted[counted], targets[counted]
    kinds = (predicted[predicted == targets], predicted, targets)
    return np.stack([np.bincount(kind, minlength=classes) for kind in kinds])


def confusion(predicted: Array, targets: Array, classes: int) -> Array:
    """How often each class (row) was taken for each (column); a target of -1 does not count.

    >>> confusion(np.array([0, 1, 1, 0]), np.array([0, 0, 1, -1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    counted = targets >= 0
    pairs = targets[counted].astype(np.int64) * classes + predicted[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def f1_scores(counts: Array) -> Array:
    """F1 = 2 hits / (predicted + asked for) of each class; NaN for one that was neither predicted nor asked for.

    counts: what `count_classes` gave, summed over batches.
    """
    hits, predicted, asked = counts
    occurs = predicted + asked > 0
    return np.where(occurs, 2 * hits / np.maximum(predicted + asked, 1), np.nan)


def macro_f1(counts: Array) -> float:
    """The mean F1 of the classes that were predicted or asked for."""
    return float(np.nanmean(f1_scores(counts)))


def weighted_f1(counts: Array) -> float:
    """The mean F1 of the classes, each weighted by how often it was asked for.

    >>> round(weighted_f1(np.array([[1, 2], [2, 3], [3, 2]])), 3)  # F1 of 0.4 three times, 0.8 twice
    0.56
    """
    asked = counts[2]
    return float(np.nansum(f1_scores(counts) * asked) / asked.sum())


def class_report(counts: Array, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and number of targets of each class, by name; 0 where nothing was predicted or asked for.

    >>> class_report(np.array([[1, 2], [2, 3], [3, 2]]), ["a", "b"])["b"]
    {'precision': 0.6666666666666666, 'recall': 1.0, 'f1': 0.8, 'support': 2}
    """
    hits, predicted, asked = counts
    precision, recall = hits / np.maximum(predicted, 1), hits / np.maximum(asked, 1)
    f1 = np.nan_to_num(f1_scores(counts))
    table = zip(names, precision.tolist(), recall.tolist(), f1.tolist(), asked.tolist(), strict=True)
    return {name: {"precision": p, "recall": r, "f1": f, "support": n} for name, p, r, f, n in table}
