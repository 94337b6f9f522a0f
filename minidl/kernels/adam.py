"""Adam, compiled: clipping, moments and the change of the weights in one pass over the vectors."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import threads
from minidl.kernels.compiler import kernel, part
from minidl.optim import Adam
from minidl.schedules import Clock

Array = NDArray[Any]
BLOCK = 2048  # numbers of each vector that stay in the first-level cache
PER_WEIGHT = 20  # multiplications that moving a weight is worth: it waits for memory


def change(optimizer: Adam, w: Array, g: Array, length: float, t: int, clock: Clock, m: Array, v: Array) -> None:
    """As Optimizer.change, by the equations of Adam."""
    now: Any = optimizer  # what was a schedule is a number by now
    bound, longest, (beta1, beta2) = now.clip_value or math.inf, now.clip_norm or math.inf, now.betas
    scale = min(1.0, longest / length) if length else 1.0
    clips = length > bound or scale < 1  # no entry is larger than the whole
    mean, root = now.lr / (1 - beta1**t), (1 - beta2**t) ** -0.5
    kept = 1.0 - now.lr * now.weight_decay
    compute = partial(
        move, w, g, m, v, float(bound), scale, clips, 1.0 - beta1, 1.0 - beta2, mean, root, float(now.eps), kept
    )
    threads.in_shares(len(w), PER_WEIGHT * len(w), compute)


@kernel
def move(
    w: Array,
    g: Array,
    m: Array,
    v: Array,
    bound: float,
    scale: float,
    clips: bool,
    new1: float,
    new2: float,
    mean: float,
    root: float,
    eps: float,
    kept: float,
    lo: int,
    hi: int,
) -> None:
    """Move m and v towards g by the shares new1 and new2, and w by them; mean, root: factors of m and of √v."""
    real = w.dtype.type
    a, b, mean_, root_, eps_, kept_ = real(new1), real(new2), real(mean), real(root), real(eps), real(kept)
    for start in range(lo, hi, BLOCK):
        some = slice(start, min(start + BLOCK, hi))
        if clips:
            clip(g[some], real(bound), real(scale))
        move_block(w[some], g[some], m[some], v[some], a, b, mean_, root_, eps_, kept_)


@part
def clip(g: Array, bound: float, scale: float) -> None:
    """Entries of g within ±bound, then all of it scaled."""
    for j in range(len(g)):
        g[j] = min(max(g[j], -bound), bound) * scale


@part
def move_block(
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
    """As `move`, with numbers of the type of the weights."""
    for j in range(len(w)):
        m[j] += new1 * (g[j] - m[j])
        v[j] += new2 * (g[j] * g[j] - v[j])
        w[j] = kept * w[j] - mean * m[j] / (np.sqrt(v[j]) * root + eps)
