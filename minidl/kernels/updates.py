"""Optimizers, the range of ids and the draw of a symbol in C: src/optimizers.h and src/ids.h."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.generate.sampler import Sampler
from minidl.graph.operations import norm
from minidl.kernels.library import address, function, kernel, layout
from minidl.optim import Optimizer
from minidl.optim.schedules import Clock

if TYPE_CHECKING:
    from minidl.engine.feeds import Feeds

Array = NDArray[Any]
Change = Callable[..., None]  # by the optimizer of the moment
VECTOR = 16  # numbers: what a share of the weights is counted in
PER_WEIGHT = 20  # multiplications that moving a weight is worth: it waits for memory


def length(gradient: Array) -> Callable[[Optimizer], float]:
    """As Optimizer.length."""
    squares = function("sum_of_squares", gradient.dtype, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64)
    where, size = ctypes.c_void_p(address(gradient)), ctypes.c_int64(gradient.size)

    def call(optimizer: Optimizer) -> float:
        square = squares(where, size)
        return math.sqrt(square) if math.isfinite(square) else norm(gradient)

    return call


def twin(name: str, numbers: Callable[..., tuple[float, ...]]) -> Callable[..., Change]:
    """What binds a rule to weights w, their gradient g and what is kept from step to step.

    numbers: those of a step, from lr on, in the order of Rates in src/optimizers.h; 0 for what a rule has not. They are
    of the optimizer of now, which has numbers in the place of schedules.
    """

    def bound(w: Array, g: Array, **kept: Array) -> Change:
        packing = layout("Rates")[1]
        rates = bytearray(packing.size)
        values = {"n": w.size, "w": w, "g": g, "rates": rates, **kept}
        change = kernel(name, "Update", w.dtype, -(-w.size // VECTOR), PER_WEIGHT * w.size, **values)

        def call(now: Any, length: float, t: int, clock: Clock) -> None:
            highest, longest = (math.inf if limit is None else limit for limit in (now.clip_value, now.clip_norm))
            scale = longest / length if length > longest else 1.0
            clips = length > highest or scale < 1  # no entry is larger than the norm
            packing.pack_into(rates, 0, clips, highest, scale, *numbers(now, t))
            change()

        return call

    return bound


def adam(now: Any, t: int) -> tuple[float, ...]:
    """The numbers of Adam's equations."""
    beta1, beta2 = now.betas
    root, kept = (1 - beta2**t) ** -0.5, 1 - now.lr * now.weight_decay
    return now.lr / (1 - beta1**t), beta1, beta2, now.eps, root, kept, 0


def rmsprop(now: Any, t: int) -> tuple[float, ...]:
    """The numbers of RMSprop's equations."""
    return now.lr, 0, now.rho, now.eps, 0, 0, 0


def sgd(now: Any, t: int) -> tuple[float, ...]:
    """The numbers of SGD's equations."""
    return now.lr, now.momentum, 0, 0, 0, 0, now.nesterov


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
