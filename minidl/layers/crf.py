"""CRF: the loss of tagging a sequence as a whole, in which neighbouring tags depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minidl.graph.arrays import Array, Cache, Declaration, Ids, InputSpec, Out, Param, Shape
from minidl.layers.sequence_loss import SequenceLoss, log_sum_exp


@dataclass(frozen=True)
class CRF(SequenceLoss):
    """Linear-chain conditional random field: negative log likelihood of tags y given scores v, in nats.

        score(y) = s[y₀] + Σₜ v[t, yₜ] + Σₜ A[yₜ₋₁, yₜ] + e[y of the last step]
        l = log Z - score(y),   Z = Σ exp score(y') over all sequences y' of tags

        α[0] = v[0] + s,   α[t] = v[t] + log Σᵢ exp(α[t-1, i] + A[i]),   log Z = log Σ exp(α[last] + e)
        β[last] = e,       β[t] = log Σⱼ exp(A[:, j] + v[t+1, j] + β[t+1, j])

    The gradient is what the model expects less what is there; the passes forward (α) and backward (β) give both:

        dv[t, k] = p(yₜ = k) - [yₜ = k],   p(yₜ = k) = exp(α[t, k] + β[t, k] - log Z)
        dA[i, j] = Σₜ p(yₜ₋₁ = i, yₜ = j) - [yₜ₋₁ = i, yₜ = j],   ds and de likewise at the ends

    scores v (T, B, K), of a Dense without activation; targets (T, B), -1 past the end of each sequence; A (K, K) of
    tag pairs, s (K,) of first and e (K,) of last tags are trained; y () or, not reduced, (B,). The mean is over all
    tags that count. weights (B,), an input that may be left out: of each sequence.

    `viterbi` finds the most likely tags; experiments predict with it.

    >>> from minidl import Model
    >>> model = Model.of(CRF(), np.zeros((1, 1, 4)), np.array([[3]]))
    >>> float(model.arrays["crf/y"].round(4))
    1.3863

    Lafferty, McCallum, Pereira 2001, section 3; Collins 2013, "The forward-backward algorithm".
    """

    inputs: ClassVar = {
        "scores": InputSpec("T B K"),
        "targets": InputSpec("T B", dtype="int", lowest=-1),
        "weights": InputSpec("B", optional=True),
    }

    def arrays(self, scores: Shape, targets: Ids, weights: Shape | None = None) -> dict[str, Declaration]:
        T, B, K = scores
        if targets.depth > K:
            raise ValueError(f"targets have {targets.depth} tags, but there are only {K} scores")
        return {
            "A": Param((K, K)),
            "s": Param((K,)),
            "e": Param((K,)),
            "alpha": Cache((T, B, K)),
            "log_Z": Cache((B,)),
            "each": Cache((B,)),
            "y": Out((B,) if self.reduction == "none" else ()),
        }

    def forward(
        self,
        scores: Array,
        targets: Array,
        weights: Array | None,
        A: Array,
        s: Array,
        e: Array,
        alpha: Array,
        log_Z: Array,
        each: Array,
        y: Array,
    ) -> None:
        inside = targets >= 0
        alpha[0] = scores[0] + s
        for t in range(1, len(scores)):
            on = inside[t]
            alpha[t] = alpha[t - 1]  # of a sequence that has ended, the last value stays
            alpha[t, on] = log_sum_exp(alpha[t - 1, on, :, None] + A, axis=1) + scores[t, on]
        log_Z[...] = log_sum_exp(alpha[-1] + e, axis=1)
        np.subtract(log_Z, score_of(scores, targets, A, s, e), out=each)
        each[~inside[0]] = 0  # nothing is asked of it
        share = self.shares(targets, weights)
        y[...] = each * share if self.reduction == "none" else each @ share

    def backward(
        self,
        scores: Array,
        targets: Array,
        weights: Array | None,
        A: Array,
        s: Array,
        e: Array,
        alpha: Array,
        log_Z: Array,
        each: Array,
        y: Array,
        dy: Array,
        dA: Array,
        ds: Array,
        de: Array,
        dscores: Array | None,
        dweights: Array | None,
    ) -> None:
        T, B, K = scores.shape
        inside = targets >= 0
        scale = (dy * self.shares(targets, weights) * inside[0]).astype(scores.dtype)[:, None]
        last = inside.sum(axis=0) - 1
        beta = np.broadcast_to(e, (B, K)).copy()
        dA[...] = 0
        de[...] = (surplus(alpha[-1], beta, log_Z, targets[last, np.arange(B)]) * scale).sum(axis=0)
        for t in range(T - 1, -1, -1):
            on = inside[t]
            if dscores is not None:
                dscores[t] = 0
                dscores[t, on] = surplus(alpha[t, on], beta[on], log_Z[on], targets[t, on]) * scale[on]
            if t:
                before = scores[t, on] + beta[on]
                pairs = np.exp(alpha[t - 1, on, :, None] + A + before[:, None] - log_Z[on, None, None])
                dA += (pairs * scale[on, :, None]).sum(axis=0)
                np.subtract.at(dA, (targets[t - 1, on], targets[t, on]), scale[on, 0])
                beta[on] = log_sum_exp(A + before[:, None], axis=2)
        ds[...] = (surplus(alpha[0], beta, log_Z, targets[0]) * scale).sum(axis=0)
        if weights is not None and dweights is not None:
            self.weight_gradient(targets, weights, each, y, dy, out=dweights)


def surplus(alpha: Array, beta: Array, log_Z: Array, tags: Array) -> Array:
    """p(k) - [k = y] at one step (B, K): by how much the model expects a tag more often than it is there."""
    p: Array = np.exp(alpha + beta - log_Z[:, None])
    p[np.arange(len(tags)), tags] -= 1
    return p


def score_of(v: Array, tags: Array, A: Array, s: Array, e: Array) -> Array:
    """score(y) of each sequence (B,); tags (T, B), -1 past its end."""
    inside, b = tags >= 0, np.arange(tags.shape[1])
    steps = np.where(inside, np.take_along_axis(v, np.where(inside, tags, 0)[..., None], axis=2)[..., 0], 0)
    pairs = np.where(inside[1:], A[tags[:-1], tags[1:]], 0)
    last = tags[inside.sum(axis=0) - 1, b]
    total: Array = steps.sum(axis=0) + pairs.sum(axis=0) + s[tags[0]] + e[last]
    return total


def viterbi(v: Array, lengths: Array, A: Array, s: Array, e: Array) -> Array:
    """The tags (T, B) of the highest score, -1 past the end of each sequence; v (T, B, K), lengths (B,).

    >>> v = np.array([[[0.0, 0.1]], [[0.0, 0.1]]])
    >>> viterbi(v, np.array([2]), np.array([[0.0, 1.0], [0.0, 0.0]]), np.zeros(2), np.zeros(2)).ravel().tolist()
    [0, 1]

    Viterbi 1967; Forney 1973.
    """
    T, B, K = v.shape
    best, back = v[0] + s, np.zeros((T, B, K), np.int64)
    for t in range(1, T):
        on = lengths > t
        candidates = best[on, :, None] + A
        back[t, on] = candidates.argmax(axis=1)
        best[on] = candidates.max(axis=1) + v[t, on]
    tags = np.full((T, B), -1)
    tag = (best + e).argmax(axis=1)
    for t in range(T - 1, -1, -1):
        on = lengths > t
        tags[t, on] = tag[on]
        tag[on] = back[t, on, tag[on]]
    return tags
