"""SoftmaxCE: the loss of predicting one symbol out of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Lt

from minidl.graph.arrays import Array, Cache, Declaration, Ids, InputSpec, Out, Shape
from minidl.graph.layer import Layer
from minidl.graph.operations import rows


@dataclass(frozen=True)
class SoftmaxCE(Layer):
    """Softmax and cross-entropy in one, in nats.

        p = softmax(v),   q = (1 - ε) one-hot(target) + ε / V,   y = mean or sum of -Σₖ qₖ log pₖ

        dv = dy (p - q) / n        v (..., V), targets (...), y ();  n = 1 for a sum

    A target of -1 is ignored: it counts neither in the sum nor in the mean. reduction: mean over counted targets,
    or sum. label_smoothing: ε.

    >>> from minidl import Model
    >>> float(Model.of(SoftmaxCE(), np.zeros((1, 1, 4)), np.array([[3]])).arrays["softmax_ce/y"].round(4))
    1.3863

    Label smoothing: Szegedy et al. 2016, section 7.
    """

    reduction: Literal["mean", "sum"] = "mean"
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0

    inputs: ClassVar = {"logits": InputSpec("... V"), "targets": InputSpec("...", dtype="int", lowest=-1)}

    def arrays(self, logits: Shape, targets: Ids) -> dict[str, Declaration]:
        if tuple(targets) != tuple(logits[:-1]):
            raise ValueError(f"targets should have the shape {logits[:-1]} of the logits without their last axis")
        if targets.depth > logits[-1]:
            raise ValueError(f"targets have {targets.depth} symbols, but there are only {logits[-1]} logits")
        return {"p": Cache(logits), "weight": Cache(targets), "y": Out(())}

    def forward(self, logits: Array, targets: Array, p: Array, weight: Array, y: Array) -> None:
        v, p, target = rows(logits), rows(p), targets.reshape(-1)
        self._weigh(target, out=weight)
        np.subtract(v, v.max(axis=-1, keepdims=True), out=p)
        expected = p[np.arange(len(p)), target]
        if self.label_smoothing:
            expected += self.label_smoothing * (p.mean(axis=-1) - expected)
        np.exp(p, out=p)
        total = p.sum(axis=-1, keepdims=True)
        p /= total
        y[...] = (weight.reshape(-1) * (np.log(total[:, 0]) - expected)).sum()

    def _weigh(self, target: Array, out: Array) -> None:
        """What each target counts: 0 where it is ignored, else 1 / n."""
        counted = target >= 0
        n = max(int(counted.sum()), 1) if self.reduction == "mean" else 1
        np.divide(counted, n, out=out.reshape(-1))

    def backward(self, targets: Array, p: Array, weight: Array, dy: Array, dlogits: Array | None) -> None:
        if dlogits is None:
            return
        p, dv, scale = rows(p), rows(dlogits), dy * weight.reshape(-1)
        np.multiply(p, scale[:, None], out=dv)
        if self.label_smoothing:
            dv -= (self.label_smoothing / p.shape[-1]) * scale[:, None]
        dv[np.arange(len(dv)), targets.reshape(-1)] -= (1 - self.label_smoothing) * scale
