"""What losses of whole sequences have in common: a sum over many ways, in logarithms, and what each sequence counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.graph.arrays import Array
from minidl.layers.loss import Loss


@dataclass(frozen=True)
class SequenceLoss(Loss, abstract=True):
    """Base of losses l of whole sequences, each of which counts for the mean as often as it has targets, L.

        mean   y = Σ w l / Σ w L            dw = (l - y L) dy / Σ w L          sum, none   dw = l dy

    targets (T, B), -1 past the end of each sequence. weights (B,).
    """

    def shares(self, targets: Array, weights: Array | None) -> Array:
        """What each loss counts: its weight; for the mean over Σ w L."""
        w = np.ones(targets.shape[1]) if weights is None else weights
        share: Array = w / self._total(targets, w)
        return share

    def weight_gradient(self, targets: Array, weights: Array, each: Array, y: Array, dy: Array, out: Array) -> None:
        """dw, by the losses of each sequence."""
        np.multiply(each, dy, out=out)
        if self.reduction == "mean":
            out[...] = (each - y * (targets >= 0).sum(axis=0)) * dy / self._total(targets, weights)

    def _total(self, targets: Array, weights: Array) -> Any:
        total = ((targets >= 0).sum(axis=0) * weights).sum() if self.reduction == "mean" else 1
        return total if total != 0 else 1


def log_sum_exp(x: Array, axis: int) -> Array:
    """log Σ exp x along an axis."""
    largest = x.real.max(axis=axis, keepdims=True)
    total: Array = (largest + np.log(np.exp(x - largest).sum(axis=axis, keepdims=True))).squeeze(axis)
    return total
