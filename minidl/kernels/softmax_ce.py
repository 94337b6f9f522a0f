"""SoftmaxCE, compiled: the equations of `minidl.layers.softmax_ce`, a row at a time."""

from __future__ import annotations

from functools import partial
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine import threads
from minidl.engine.dispatch import Call
from minidl.graph.operations import rows
from minidl.kernels.affine import or_empty
from minidl.kernels.compiler import kernel, part
from minidl.kernels.functions import exp, larger
from minidl.layers.softmax_ce import SoftmaxCE

Array = NDArray[Any]
PER_NUMBER = 50  # multiplications that an exponential function and what is around it are worth


def forward(layer: SoftmaxCE, logits: Array, targets: Array, p: Array, weight: Array, y: Array) -> Call:
    """As SoftmaxCE.forward."""
    mean, smoothing = layer.reduction == "mean", layer.label_smoothing
    compute = partial(loss, rows(logits), targets.reshape(-1), rows(p), weight.reshape(-1), mean, smoothing)
    bounds = threads.fixed_bounds(targets.size, PER_NUMBER * p.size)
    if len(bounds) == 2:
        return lambda: y.fill(compute(*bounds))

    def some(first: int, last: int) -> list[float]:
        return [compute(start, stop) for start, stop in pairwise(bounds[first : last + 1])]

    def call() -> None:
        losses = threads.in_shares(len(bounds) - 1, PER_NUMBER * p.size, some)
        y[...] = sum(chain.from_iterable(losses))

    return call


def backward(layer: SoftmaxCE, targets: Array, p: Array, weight: Array, dy: Array, dlogits: Array | None) -> Call:
    """As SoftmaxCE.backward."""
    scale, dlogits = dy.reshape(1), or_empty(dlogits, p)
    compute = partial(
        loss_back, targets.reshape(-1), rows(p), weight.reshape(-1), scale, rows(dlogits), layer.label_smoothing
    )
    return partial(threads.in_shares, len(rows(dlogits)), PER_NUMBER * p.size, compute)


@kernel
def loss(
    logits: Array, targets: Array, p: Array, weight: Array, mean: bool, smoothing: float, lo: int, hi: int
) -> float:
    """The loss of some rows; p and weight are left for the way back."""
    share, total = 1 / max(counted(targets), 1) if mean else 1.0, 0.0
    for n in range(lo, hi):
        weight[n] = share if targets[n] >= 0 else 0
        log_sum = softmax_row(logits, p, n)
        expected = (1 - smoothing) * logits[n, targets[n]]
        if smoothing > 0:
            expected += smoothing * logits[n].mean()
        total += weight[n] * (log_sum - expected)
    return total


@part
def counted(targets: Array) -> int:
    """How many targets are not ignored."""
    count = 0
    for n in range(len(targets)):
        count += targets[n] >= 0
    return count


@part
def softmax_row(v: Array, p: Array, n: int) -> float:
    """p = softmax(v), in row n; returns log Σ exp(v)."""
    V = v.shape[1]
    largest = v[n, 0]
    for k in range(V):
        largest = larger(largest, v[n, k])
    for k in range(V):
        p[n, k] = exp(v[n, k] - largest)
    total = p.dtype.type(0)
    for k in range(V):
        total += p[n, k]
    scale = p.dtype.type(1) / total
    for k in range(V):
        p[n, k] *= scale
    log_sum: float = largest + np.log(total)
    return log_sum


@kernel
def loss_back(
    targets: Array, p: Array, weight: Array, dy: Array, dlogits: Array, smoothing: float, lo: int, hi: int
) -> None:
    """dv = dy (p - q) / n, for some rows."""
    real, V = p.dtype.type, p.shape[1]
    for n in range(lo, hi):
        scale = np.float64(dy[0]) * weight[n]
        factor, lowered = real(scale), real(scale * smoothing / V)
        for k in range(V):
            dlogits[n, k] = factor * p[n, k] - lowered
        dlogits[n, targets[n]] -= real(scale * (1 - smoothing))
