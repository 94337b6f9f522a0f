"""The draw of a symbol, compiled: by the equation of `minidl.generate.sampler.Sampler`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.generate.sampler import Sampler
from minidl.kernels.compiler import kernel

Array = NDArray[Any]


def draw(sampler: Sampler, logits: Array, rng: np.random.Generator) -> int:
    """As Sampler.draw, which looks at the most likely symbols itself where that is asked for."""
    if sampler.temperature == 0 or sampler.top_k is not None or sampler.top_p is not None:
        return sampler.draw(logits, rng)
    symbol: int = pick(logits, sampler.temperature, rng.random())
    return symbol if symbol >= 0 else sampler.draw(logits, rng)


@kernel
def pick(logits: Array, temperature: float, where: float) -> int:
    """The symbol at this place, between 0 and 1, of the cumulative probabilities; -1 if they are not finite."""
    largest = logits.max()
    if not np.isfinite(largest):
        return -1
    cumulative = np.empty(len(logits))
    total = 0.0
    for k in range(len(logits)):
        total += np.exp((np.float64(logits[k]) - largest) / temperature)
        cumulative[k] = total
    k = 0
    while k < len(logits) - 1 and cumulative[k] <= where * total:
        k += 1
    return k
