"""The length of a gradient, compiled: one pass, with sums in float64, which no float32 number makes overflow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.kernels.compiler import kernel
from minidl.optim import Optimizer

Array = NDArray[Any]


def length(optimizer: Optimizer, gradient: Array) -> float:
    """As Optimizer.length."""
    return math.sqrt(sum_of_squares(gradient))


@kernel
def sum_of_squares(v: Array) -> float:
    """Σ v²."""
    total = 0.0
    for j in range(len(v)):
        x = np.float64(v[j])
        total += x * x
    return total
