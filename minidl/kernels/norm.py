"""The length of a gradient, compiled: one pass."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from minidl.graph.operations import SUMMED, norm
from minidl.kernels.compiler import kernel, part
from minidl.optim import Optimizer

Array = NDArray[Any]


def length(optimizer: Optimizer, gradient: Array) -> float:
    """As Optimizer.length."""
    square = sum_of_squares(gradient)
    return math.sqrt(square) if math.isfinite(square) else norm(gradient)


@kernel
def sum_of_squares(v: Array) -> float:
    """Σ v², in sums of parts, which lose nothing of long vectors."""
    total = 0.0
    for start in range(0, len(v), SUMMED):
        total += squares(v[start : start + SUMMED])
    return total


@part
def squares(v: Array) -> float:
    """Σ v², in the type of v."""
    total: float = v.dtype.type(0)
    for j in range(len(v)):
        total += v[j] * v[j]
    return total
