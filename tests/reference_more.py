"""Slow, obvious float64 versions of attention, convolution, pooling and losses, as in reference.py."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def attention(
    score: Callable[[Array, Array], float],
    query: Array,
    keys: Array,
    values: Array | None = None,
    lengths: Array | None = None,
    query_lengths: Array | None = None,
    mask: Array | None = None,
    heads: int = 1,
    causal: bool = False,
) -> Array:
    """Each query's mean of the values that it may see, weighted by the softmax of its scores."""
    values = keys if values is None else values
    (T, B, H), (S, _, V) = query.shape, values.shape
    y = np.zeros((T, B, V))
    for b, t, head in itertools.product(range(B), range(T), range(heads)):
        seen = [
            s
            for s in range(S)
            if (lengths is None or s < lengths[b])
            and (mask is None or mask[s, b])
            and (not causal or s <= t)
            and (query_lengths is None or t < query_lengths[b])
        ]
        part, out = slice(head * H // heads, (head + 1) * H // heads), slice(head * V // heads, (head + 1) * V // heads)
        weights = [math.exp(score(query[t, b, part], keys[s, b, part])) for s in seen]
        for s, weight in zip(seen, weights, strict=True):
            y[t, b, out] += weight / sum(weights) * values[s, b, out]
    return y


def dot_score(q: Array, k: Array) -> float:
    return float(sum(q * k)) / math.sqrt(len(q))


def additive_score(w: Array) -> Callable[[Array, Array], float]:
    return lambda q, k: float(sum(w * np.tanh(q + k)))


def conv1d(x: Array, W: Array, b: Array, padding: str, dilation: int, lengths: Array | None = None) -> Array:
    """y[t] = b + sum_j x[t + (j - o) d] W[j], where there are such steps."""
    T, B, _ = x.shape
    y = np.zeros((T, B, len(b)))
    offset = len(W) - 1 if padding == "causal" else (len(W) - 1) // 2
    for t, n in itertools.product(range(T), range(B)):
        y[t, n] = b
        for j in range(len(W)):
            at = t + (j - offset) * dilation
            if 0 <= at < (T if lengths is None else lengths[n]):
                y[t, n] += x[at, n] @ W[j]
    return y


def pool(kind: str, x: Array, lengths: Array | None = None) -> Array:
    return np.array(
        [getattr(x[: len(x) if lengths is None else lengths[n], n], kind)(axis=0) for n in range(x.shape[1])]
    )


def quantile_losses(x: Array, t: Array, quantiles: tuple[float, ...]) -> Array:
    """One loss for each of K Q predictions (..., K Q)."""
    losses = np.empty_like(x)
    for at in np.ndindex(x.shape):
        tau, e = quantiles[at[-1] % len(quantiles)], t[(*at[:-1], at[-1] // len(quantiles))] - x[at]
        losses[at] = tau * e if e >= 0 else (tau - 1) * e
    return losses


def gaussian_losses(x: Array, t: Array) -> Array:
    """-log of the density of each of K numbers."""
    K = t.shape[-1]
    density = np.exp(-((t - x[..., :K]) ** 2) / (2 * np.exp(x[..., K:]))) / np.sqrt(2 * np.pi * np.exp(x[..., K:]))
    losses: Array = -np.log(density)
    return losses


def huber_loss(e: float, delta: float) -> float:
    return e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2)


def element_losses(name: str, layer: Any, x: Array, t: Array) -> Array:
    """The loss of each element, before anything is weighed."""
    if name == "Quantile":
        return quantile_losses(x, t, layer.quantiles)
    if name == "GaussianNLL":
        return gaussian_losses(x, t)
    kinds: dict[str, Callable[[float, float], float]] = {
        "MSE": lambda a, b: (a - b) ** 2,
        "MAE": lambda a, b: abs(a - b),
        "Huber": lambda a, b: huber_loss(a - b, layer.delta),
        "PoissonNLL": lambda a, b: math.exp(a) - b * a,
        "SigmoidCE": lambda a, b: max(a, 0.0) - a * b + math.log1p(math.exp(-abs(a))),
    }
    pairs = zip(x.flat, t.flat, strict=True)
    return np.array([kinds[name](float(a), float(b)) for a, b in pairs]).reshape(x.shape)


def reduced(each: Array, weight: Array, reduction: str) -> Array:
    """Σ w l / Σ w, Σ w l, or w l."""
    if reduction == "none":
        return np.where(weight == 0, 0, each * weight)
    total = float(sum(a * w for a, w in zip(each.flat, weight.flat, strict=True) if w))
    return np.array(total / (weight.sum() or 1) if reduction == "mean" else total)


def weight_of_elements(
    shape: tuple[int, ...], lengths: Array | None, weights: Array | None, classes: Any = None
) -> Array:
    """What each element counts, in full."""
    weight = np.ones(shape)
    for at in np.ndindex(*shape):
        if lengths is not None and at[0] >= lengths[at[1]]:
            weight[at] = 0
        if weights is not None:
            weight[at] *= weights[at[: weights.ndim]] if weights.ndim > 1 else weights[at[1]]
        if classes is not None:
            weight[at] *= classes[at[-1]]
    return weight


def crf_losses(v: Array, tags: Array, A: Array, s: Array, e: Array) -> Array:
    """-log p of the tags of each sequence, by writing out the scores of all sequences of tags."""
    losses = np.zeros(v.shape[1])
    between = A.tolist(), s.tolist(), e.tolist()  # numbers of Python are quicker to add one by one
    for b in range(v.shape[1]):
        own, steps = [int(tag) for tag in tags[:, b] if tag >= 0], v[:, b].tolist()
        if own:
            every = itertools.product(range(v.shape[2]), repeat=len(own))
            scores = [tag_score(path, steps, *between) for path in every]
            losses[b] = math.log(sum(map(math.exp, scores))) - tag_score(own, steps, *between)
    return losses


def tag_score(path: Any, v: Any, A: Any, s: Any, e: Any) -> float:
    steps = sum(v[t][k] for t, k in enumerate(path))
    return s[path[0]] + steps + sum(A[i][j] for i, j in itertools.pairwise(path)) + e[path[-1]]


def ctc_losses(v: Array, targets: Array, blank: int, lengths: Array | None = None) -> Array:
    """-log p of the symbols of each sequence, by writing out all paths and collapsing each."""
    losses = np.zeros(v.shape[1])
    for b in range(v.shape[1]):
        T = len(v) if lengths is None else int(lengths[b])
        p = (np.exp(v[:T, b]) / np.exp(v[:T, b]).sum(axis=-1, keepdims=True)).tolist()
        wanted = [int(k) for k in targets[:, b] if k >= 0]
        paths = itertools.product(range(v.shape[2]), repeat=T)
        total = sum(math.prod(p[t][k] for t, k in enumerate(path)) for path in paths if collapse(path, blank) == wanted)
        losses[b] = -math.log(total)
    return losses


def collapse(path: Any, blank: int) -> list[int]:
    return [k for k, _ in itertools.groupby(path) if k != blank]
