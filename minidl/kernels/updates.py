"""Optimizers, the range of ids and the draw of a symbol in C: src/optimizers.h and src/ids.h."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine import threads
from minidl.generate.sampler import Sampler
from minidl.graph.operations import norm
from minidl.kernels.library import address, computing, function, packed
from minidl.optim import SGD, Adam, Optimizer, RMSprop
from minidl.optim.schedules import Clock, current

if TYPE_CHECKING:
    from minidl.engine.feeds import Feeds

Array = NDArray[Any]
VECTOR = 16  # numbers: what a share of the weights is counted in
PER_WEIGHT = 20  # multiplications that moving a weight is worth: it waits for memory


def length(optimizer: Optimizer, gradient: Array) -> float:
    """As Optimizer.length."""
    squares = function("sum_of_squares", gradient.dtype, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64)
    square = squares(address(gradient), gradient.size)
    return math.sqrt(square) if math.isfinite(square) else norm(gradient)


def move(name: str, now: Optimizer, w: Array, g: Array, length: float, clock: Clock, values: Mapping[str, Any]) -> None:
    """Clip the gradient and change the weights, in as many shares of whole vectors as there are threads."""
    bound = math.inf if now.clip_value is None else current(now.clip_value, clock)
    longest = math.inf if now.clip_norm is None else current(now.clip_norm, clock)
    scale = longest / length if length > longest else 1.0
    clips = length > bound or scale < 1  # no entry is larger than the norm
    block = packed("Update", {"n": w.size, "w": w, "g": g, "clips": clips, "bound": bound, "scale": scale, **values})
    call = partial(computing(name, w.dtype), block)
    threads.in_shares(-(-w.size // VECTOR), PER_WEIGHT * w.size, call)


def adam(optimizer: Adam, w: Array, g: Array, length: float, t: int, clock: Clock, m: Array, v: Array) -> None:
    """As Optimizer.change, by the equations of Adam."""
    beta1, beta2 = (current(beta, clock) for beta in optimizer.betas)
    lr, eps = current(optimizer.lr, clock), current(optimizer.eps, clock)
    root, kept = (1 - beta2**t) ** -0.5, 1 - lr * current(optimizer.weight_decay, clock)
    lr /= 1 - beta1**t
    values = {"m": m, "v": v, "lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "root": root, "kept": kept}
    move("adam", optimizer, w, g, length, clock, values)


def rmsprop(optimizer: RMSprop, w: Array, g: Array, length: float, t: int, clock: Clock, v: Array) -> None:
    """As Optimizer.change, by the equations of RMSprop."""
    lr, rho, eps = (current(value, clock) for value in (optimizer.lr, optimizer.rho, optimizer.eps))
    move("rmsprop", optimizer, w, g, length, clock, {"v": v, "lr": lr, "beta2": rho, "eps": eps})


def sgd(optimizer: SGD, w: Array, g: Array, length: float, t: int, clock: Clock, u: Array) -> None:
    """As Optimizer.change, by the equations of SGD."""
    momentum = current(optimizer.momentum, clock)
    values = {"m": u, "lr": current(optimizer.lr, clock), "beta1": momentum, "nesterov": optimizer.nesterov}
    move("sgd", optimizer, w, g, length, clock, values)


def within(feeds: Feeds, ids: Array, lowest: int, highest: int) -> bool:
    """As Feeds.within."""
    ids = ids if ids.flags.c_contiguous else ids.copy()
    return bool(_within()(address(ids), ids.size, lowest, highest))


@cache
def _within() -> Any:
    return function("within", "float32", ctypes.c_int, ctypes.c_void_p, *[ctypes.c_int64] * 3)


def draws(sampler: Sampler, logits: Array, rng: np.random.Generator) -> Callable[[], int]:
    """As Sampler.draws, which looks at the most likely symbols itself where that is asked for."""
    if sampler.temperature == 0 or {sampler.top_k, sampler.top_p, sampler.min_p} != {None}:
        return sampler.draws(logits, rng)
    kinds = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_double)
    given = ctypes.c_void_p(address(logits)), ctypes.c_int64(len(logits)), ctypes.c_double(sampler.temperature)
    draw, random = partial(function("draw", logits.dtype, ctypes.c_int64, *kinds), *given), rng.random

    def call() -> int:
        symbol: int = draw(random())
        return symbol if symbol >= 0 else sampler.draw(logits, rng)

    return call
