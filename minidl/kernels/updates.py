"""Optimizers, the range of ids and the draw of a symbol in C: src/optimizers.h and src/ids.h."""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine import threads
from minidl.generate.sampler import Sampler
from minidl.graph.operations import norm
from minidl.kernels.library import address, function, kernel
from minidl.optim import SGD, Adam, Optimizer, RMSprop
from minidl.optim.schedules import Clock, current

if TYPE_CHECKING:
    from minidl.engine.feeds import Feeds

Array = NDArray[Any]
PER_WEIGHT = 20  # multiplications that moving a weight is worth: it waits for memory


def length(optimizer: Optimizer, gradient: Array) -> float:
    """As Optimizer.length."""
    square = _squares(gradient.dtype)(address(gradient), gradient.size)
    return math.sqrt(square) if math.isfinite(square) else norm(gradient)


@cache
def _squares(dtype: Any) -> Any:
    return function("sum_of_squares", dtype, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64)


def move(name: str, now: Optimizer, w: Array, g: Array, length: float, clock: Clock, **values: Any) -> None:
    """Clip the gradient and change the weights, in as many shares of whole vectors as there are threads."""
    bound, longest = (math.inf if limit is None else current(limit, clock) for limit in (now.clip_value, now.clip_norm))
    scale = min(1.0, longest / length) if length else 1.0
    given = {"n": w.size, "w": w, "g": g, "bound": bound, "scale": scale, "lr": current(now.lr, clock), **values}
    vectors = -(-w.size // function("lanes", w.dtype)(None, 0, 0))
    threads.in_shares(vectors, PER_WEIGHT * w.size, kernel(name, "Update", w.dtype, **given))


def adam(optimizer: Adam, w: Array, g: Array, length: float, t: int, clock: Clock, m: Array, v: Array) -> None:
    """As Optimizer.change, by the equations of Adam."""
    beta1, beta2 = (current(beta, clock) for beta in optimizer.betas)
    lr, eps = current(optimizer.lr, clock), current(optimizer.eps, clock)
    root, kept = (1 - beta2**t) ** -0.5, 1 - lr * current(optimizer.weight_decay, clock)
    values = {"m": m, "v": v, "beta1": beta1, "beta2": beta2, "eps": eps, "root": root, "kept": kept}
    move("adam", optimizer, w, g, length, clock, **values | {"lr": lr / (1 - beta1**t)})


def rmsprop(optimizer: RMSprop, w: Array, g: Array, length: float, t: int, clock: Clock, v: Array) -> None:
    """As Optimizer.change, by the equations of RMSprop."""
    rho, eps = current(optimizer.rho, clock), current(optimizer.eps, clock)
    move("rmsprop", optimizer, w, g, length, clock, v=v, beta2=rho, eps=eps)


def sgd(optimizer: SGD, w: Array, g: Array, length: float, t: int, clock: Clock, u: Array) -> None:
    """As Optimizer.change, by the equations of SGD."""
    momentum = current(optimizer.momentum, clock)
    move("sgd", optimizer, w, g, length, clock, m=u, beta1=momentum, nesterov=optimizer.nesterov)


def within(feeds: Feeds, ids: Array, lowest: int, highest: int) -> bool:
    """As Feeds.within."""
    ids = np.ascontiguousarray(ids)
    return bool(_within()(address(ids), ids.size, lowest, highest))


@cache
def _within() -> Any:
    return function("within", "float32", ctypes.c_int, ctypes.c_void_p, *[ctypes.c_int64] * 3)


def draw(sampler: Sampler, logits: Array, rng: np.random.Generator) -> int:
    """As Sampler.draw, which looks at the most likely symbols itself where that is asked for."""
    if sampler.temperature == 0 or sampler.top_k is not None or sampler.top_p is not None:
        return sampler.draw(logits, rng)
    logits, room = np.ascontiguousarray(logits), np.empty(len(logits))
    pick = _draw(logits.dtype)
    symbol: int = pick(address(logits), len(logits), sampler.temperature, rng.random(), address(room))
    return symbol if symbol >= 0 else sampler.draw(logits, rng)


@cache
def _draw(dtype: Any) -> Any:
    kinds = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_double, ctypes.c_void_p)
    return function("draw", dtype, ctypes.c_int64, *kinds)
