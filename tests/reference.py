"""Slow, obvious float64 versions of the layers without a state, to hold their vectorised equations against.

Recurrent layers have none: they are equations one can read, held against PyTorch, and whatever is fast against them.
Arrays are float64 and time-major: x (T, B, F). Loops run over all axes; weights have minidl's layout, x @ W.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), written so that exp never overflows."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def vecmat(x: Array, W: Array) -> Array:
    """y_k = sum_f x_f W_fk."""
    return np.array([sum(x[f] * W[f, k] for f in range(len(x))) for k in range(W.shape[1])])


# Layers without a state


def one_hot(ids: Integers, depth: int) -> Array:
    """ids (...) -> (..., depth): 1 at the id, 0 elsewhere."""
    y = np.zeros((*ids.shape, depth))
    for at, token in np.ndenumerate(ids):
        y[(*at, token)] = 1
    return y


def embedding(ids: Integers, table: Array) -> Array:
    """ids (...) -> (..., E): the row of the table (V, E) for each id."""
    y = np.empty((*ids.shape, table.shape[1]))
    for at, token in np.ndenumerate(ids):
        y[at] = table[token]
    return y


def dense(x: Array, W: Array, b: Array) -> Array:
    """y = x W + b.    x (..., F), W (F, U), b (U,) -> (..., U)"""
    y = np.empty((*x.shape[:-1], len(b)))
    for at in np.ndindex(x.shape[:-1]):
        y[at] = vecmat(x[at], W) + b
    return y


def gelu(x: float) -> float:
    """x Phi(x) with the normal distribution Phi."""
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def gelu_tanh(x: float) -> float:
    """x Phi(x) with the normal distribution Phi approximated by a tanh."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "sigmoid": sigmoid,
    "relu": lambda x: max(x, 0.0),
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
}


def activation(kind: str, x: Array) -> Array:
    """The function called kind, element by element."""
    return np.array([ACTIVATIONS[kind](value) for value in x.flat]).reshape(x.shape)


def layer_norm(x: Array, gain: Array, bias: Array, eps: float) -> Array:
    """y = gain (x - mean) / sqrt(var + eps) + bias, mean and (biased) variance over the last axis."""
    y = np.empty_like(x)
    for at in np.ndindex(x.shape[:-1]):
        mean = sum(x[at]) / x.shape[-1]
        var = sum((value - mean) ** 2 for value in x[at]) / x.shape[-1]
        y[at] = gain * (x[at] - mean) / math.sqrt(var + eps) + bias
    return y


def reverse(x: Array, lengths: Integers | None = None) -> Array:
    """Turn time round; with lengths (B,) only the first lengths[n] steps of row n, padding stays where it is."""
    y = x.copy()
    for n in range(x.shape[1]):
        length = len(x) if lengths is None else int(lengths[n])
        for t in range(length):
            y[t, n] = x[length - 1 - t, n]
    return y


def last(x: Array, lengths: Integers | None = None) -> Array:
    """(T, B, F) -> (B, F): the last step, or step lengths[n] - 1 of row n."""
    return np.array([x[-1 if lengths is None else lengths[n] - 1, n] for n in range(x.shape[1])])


def log_softmax(row: Array) -> Array:
    """log p_k = x_k - log sum_j exp x_j, with the largest x taken out so that exp never overflows."""
    top = max(row)
    log_sum = top + math.log(sum(math.exp(value - top) for value in row))
    return np.array([value - log_sum for value in row])
