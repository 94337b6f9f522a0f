"""SoftmaxCE: the loss of predicting one symbol out of many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Lt

from minidl.graph.arrays import Array, Cache, Declaration, Ids, InputSpec, Out, Shape
from minidl.graph.operations import rows
from minidl.graph.sums import total_loss
from minidl.graph.symbol import Symbol
from minidl.layers.loss import WEIGHTS, ClassWeights, Loss, beside, shape_of_weights


@dataclass(frozen=True)
class SoftmaxCE(Loss):
    """Softmax and cross-entropy in one, in nats.

        p = softmax(v),   q = (1 - ε) one-hot(target) + ε / V,   l = -Σₖ qₖ log pₖ,   dl/dv = p Σₖ qₖ - q

    logits v (..., V), targets (...), y () or, not reduced, (...). A target of -1 is ignored: it counts neither in the
    sum nor in the mean. Targets may also be probabilities (..., V), which take the place of the one-hot rows.

    label_smoothing: ε. class_weights: what a target of each class counts; of probabilities, what each qₖ counts.
    weights, an input that may be left out: of each example (B,), or of each step (T, B).

    >>> from minidl import Model
    >>> float(Model.of(SoftmaxCE(), np.zeros((1, 1, 4)), np.array([[3]])).arrays["softmax_ce/y"].round(4))
    1.3863

    Label smoothing: Szegedy et al. 2016, section 7.
    """

    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    class_weights: ClassWeights = None

    inputs: ClassVar = {
        "logits": InputSpec("... V"),
        "targets": InputSpec("...", dtype="any", lowest=-1),
        "weights": WEIGHTS,
    }

    def has_twin(self, fed: Mapping[str, Symbol]) -> bool:
        return (
            "weights" not in fed
            and self.class_weights is None
            and self.reduction != "none"
            and fed["targets"].dtype == "int"
        )

    def arrays(self, logits: Shape, targets: Ids | Shape, weights: Shape | None = None) -> dict[str, Declaration]:
        places = tuple(logits[:-1])
        if isinstance(targets, Ids):
            if tuple(targets) != places:
                raise ValueError(f"targets should have the shape {places} of the logits without their last axis")
            if targets.depth > logits[-1]:
                raise ValueError(f"targets have {targets.depth} symbols, but there are only {logits[-1]} logits")
        elif tuple(targets) != tuple(logits):
            raise ValueError(f"probabilities as targets should have the shape {logits} of the logits, got {targets}")
        if self.class_weights is not None and len(self.class_weights) != logits[-1]:
            count = len(self.class_weights)
            raise ValueError(f"class_weights has {count} weights, but there are {logits[-1]} classes")
        shape_of_weights((*places, 1), None, weights)  # raises where they do not fit
        y = Out(places if self.reduction == "none" else ())
        return {"p": Cache(logits), "each": Cache(places), "weight": Cache(places), "y": y}

    def forward(
        self, logits: Array, targets: Array, weights: Array | None, p: Array, each: Array, weight: Array, y: Array
    ) -> None:
        v, p, loss = rows(logits), rows(p), each.reshape(-1)
        np.subtract(v, v.max(axis=-1, keepdims=True), out=p)
        mass, expected = self._expect(p, targets)
        np.exp(p, out=p)
        total = p.sum(axis=-1, keepdims=True)
        p /= total
        np.subtract(mass * np.log(total[:, 0]), expected, out=loss)
        self._weigh(targets, weights, out=weight)
        each[weight == 0] = 0  # also where nothing is to be read
        if self.reduction == "none":
            np.multiply(each, weight, out=y)
        else:
            y[...] = total_loss(each * weight)

    def _expect(self, v: Array, targets: Array) -> tuple[Array | float, Array]:
        """Σₖ cₖ qₖ and Σₖ cₖ qₖ vₖ of each row, c what a class counts."""
        smooth, c = self.label_smoothing, self._of_classes(v)
        if targets.dtype.kind != "i":
            q = self._wanted(targets)
            return q.sum(axis=-1), np.einsum("nk,nk->n", q, v)
        target = targets.reshape(-1)
        of_target: Any = 1.0 if c is None else c[target]
        mass = (1 - smooth) * of_target + smooth * (1.0 if c is None else c.mean())
        expected = (1 - smooth) * of_target * v[np.arange(len(v)), target]
        if smooth:
            expected += smooth * (v if c is None else c * v).mean(axis=-1)
        return mass, expected

    def _of_classes(self, like: Array) -> Array | None:
        return None if self.class_weights is None else np.array(self.class_weights, like.real.dtype)

    def _wanted(self, targets: Array) -> Array:
        """c q for probabilities as targets, (N, V)."""
        q: Array = rows(targets) * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[-1]
        c = self._of_classes(targets)
        return q if c is None else q * c

    def _weigh(self, targets: Array, weights: Array | None, out: Array) -> None:
        """What each target counts: 0 where it is ignored, else its weight, over Σ w for the mean."""
        out[...] = 1 if weights is None else beside(weights, out)
        if targets.dtype.kind == "i":
            out *= targets >= 0
        if self.reduction == "mean":
            total = (out * self._counts(targets, out)).sum()
            out /= total if total != 0 else 1

    def _counts(self, targets: Array, like: Array) -> Array | float:
        """What a target counts in Σ w: the weight of its class; 1 for probabilities, as in PyTorch."""
        c = self._of_classes(like)
        return 1.0 if c is None or targets.dtype.kind != "i" else c[targets]

    def backward(
        self,
        logits: Array,
        targets: Array,
        weights: Array | None,
        p: Array,
        each: Array,
        weight: Array,
        y: Array,
        dy: Array,
        dlogits: Array | None,
        dtargets: Array | None,
        dweights: Array | None,
    ) -> None:
        scale = (dy * weight).reshape(-1)
        if dlogits is not None:
            self._logit_gradient(targets, rows(p), scale, rows(dlogits))
        if dtargets is not None and targets.dtype.kind != "i":
            self._target_gradient(rows(logits), scale, rows(dtargets))
        if weights is not None and dweights is not None:
            self._weight_gradient(targets, weights, each, y, dy, dweights)

    def _logit_gradient(self, targets: Array, p: Array, scale: Array, dv: Array) -> None:
        """dv = (p Σₖ cₖ qₖ - c q) times what the row counts."""
        if targets.dtype.kind != "i":
            q = self._wanted(targets)
            np.subtract(p * q.sum(axis=-1, keepdims=True), q, out=dv)
            dv *= scale[:, None]
            return
        smooth, c, target = self.label_smoothing, self._of_classes(p), targets.reshape(-1)
        of_target: Any = 1.0 if c is None else c[target]
        mass = (1 - smooth) * of_target + smooth * (1.0 if c is None else c.mean())
        np.multiply(p, (mass * scale)[:, None], out=dv)
        if smooth:
            dv -= (smooth / p.shape[-1]) * scale[:, None] * (1 if c is None else c)
        dv[np.arange(len(dv)), target] -= (1 - smooth) * of_target * scale
        dv[scale == 0] = 0

    def _target_gradient(self, v: Array, scale: Array, dtargets: Array) -> None:
        """dq = -(1 - ε) c log p."""
        np.subtract(v, v.max(axis=-1, keepdims=True), out=dtargets)
        dtargets -= np.log(np.exp(dtargets).sum(axis=-1, keepdims=True))
        dtargets *= (self.label_smoothing - 1) * scale[:, None]
        dtargets *= 1 if self.class_weights is None else self._of_classes(v)

    def _weight_gradient(
        self, targets: Array, weights: Array, each: Array, y: Array, dy: Array, dweights: Array
    ) -> None:
        """dw = l dy for sum and none; (l - c y) dy / Σ c w for the mean."""
        counted = targets >= 0 if targets.dtype.kind == "i" else np.ones(each.shape, bool)
        d = each * dy
        if self.reduction == "mean":
            counts = self._counts(targets, each) * counted
            total = (beside(weights, each) * counts).sum()
            d = (each - y * counts) * dy / (total if total != 0 else 1)
        dweights[...] = (d if weights.ndim == d.ndim else d.sum(axis=0)) * 1
