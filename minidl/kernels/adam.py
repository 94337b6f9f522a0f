"""Adam, compiled: moments and the change of the weights in one pass over the vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import threads
from minidl.kernels.compiler import kernel
from minidl.optim import Adam
from minidl.schedules import Clock, current

Array = NDArray[Any]
PER_WEIGHT = 20  # multiplications that moving a weight is worth: it waits for memory


def change(optimizer: Adam, w: Array, g: Array, length: float, t: int, clock: Clock, m: Array, v: Array) -> None:
    """As Optimizer.change, by the equations of Adam."""
    bound, longest = (current(limit or np.inf, clock) for limit in (optimizer.clip_value, optimizer.clip_norm))
    scale = min(1, longest / length) if length else 1
    lr, beta1, beta2, eps = (current(value, clock) for value in (optimizer.lr, *optimizer.betas, optimizer.eps))
    kept = 1 - lr * current(optimizer.weight_decay, clock)
    mean, root = lr / (1 - beta1**t), (1 - beta2**t) ** -0.5
    if length > bound or scale < 1:  # no entry is larger than the whole
        clip(g, bound, scale)
    numbers = (1 - beta1, 1 - beta2, mean, root, eps, kept)

    def share(lo: int, hi: int) -> None:
        move(w[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi], *numbers)

    threads.in_shares(len(w), PER_WEIGHT * len(w), share)


@kernel
def clip(g: Array, bound: float, scale: float) -> None:
    """Entries of g within ±bound, then all of it scaled."""
    largest, factor = g.dtype.type(bound), g.dtype.type(scale)
    for j in range(len(g)):
        g[j] = min(max(g[j], -largest), largest) * factor


@kernel
def move(
    w: Array,
    g: Array,
    m: Array,
    v: Array,
    new1: float,
    new2: float,
    mean: float,
    root: float,
    eps: float,
    kept: float,
) -> None:
    """Move m and v towards g by the shares new1 and new2, and w by them; mean, root: factors of m and of √v."""
    real = w.dtype.type
    a, b, mean_, root_, eps_, kept_ = real(new1), real(new2), real(mean), real(root), real(eps), real(kept)
    for j in range(len(w)):
        m[j] += a * (g[j] - m[j])
        v[j] += b * (g[j] * g[j] - v[j])
        w[j] = kept_ * w[j] - mean_ * m[j] / (np.sqrt(v[j]) * root_ + eps_)
