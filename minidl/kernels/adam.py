"""Adam, compiled: clipping, moments and the change of the weights in one pass over the vectors."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine import threads
from minidl.kernels.compiler import kernel
from minidl.optim import Adam
from minidl.optim.schedules import Clock

Array = NDArray[Any]
PER_WEIGHT = 20  # multiplications that moving a weight is worth: it waits for memory


def change(optimizer: Adam, w: Array, g: Array, length: float, t: int, clock: Clock, m: Array, v: Array) -> None:
    """As Optimizer.change, by the equations of Adam."""
    now: Any = optimizer  # what was a schedule is a number by now
    bound, longest, (beta1, beta2) = now.clip_value or math.inf, now.clip_norm or math.inf, now.betas
    scale = min(1.0, longest / length) if length else 1.0
    mean, root = now.lr / (1 - beta1**t), (1 - beta2**t) ** -0.5
    kept = 1.0 - now.lr * now.weight_decay
    compute = partial(move, w, g, m, v, float(bound), scale, 1.0 - beta1, 1.0 - beta2, mean, root, float(now.eps), kept)
    threads.in_shares(len(w), PER_WEIGHT * len(w), compute)


@kernel
def move(
    w: Array,
    g: Array,
    m: Array,
    v: Array,
    bound: float,
    scale: float,
    new1: float,
    new2: float,
    mean: float,
    root: float,
    eps: float,
    kept: float,
    lo: int,
    hi: int,
) -> None:
    """Clip g, move m and v towards it by the shares new1 and new2, then w; mean, root: factors of m and of √v."""
    real = w.dtype.type
    bound_, scale_, a, b = real(bound), real(scale), real(new1), real(new2)
    mean_, root_, eps_, kept_ = real(mean), real(root), real(eps), real(kept)
    w, g, m, v = w[lo:hi], g[lo:hi], m[lo:hi], v[lo:hi]
    for j in range(len(w)):
        g[j] = min(max(g[j], -bound_), bound_) * scale_
        m[j] += a * (g[j] - m[j])
        v[j] += b * (g[j] * g[j] - v[j])
        w[j] = kept_ * w[j] - mean_ * m[j] / (np.sqrt(v[j]) * root_ + eps_)
