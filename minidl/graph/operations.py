"""Array operations that several layers share, written in place (`out=`) so that a step allocates nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
SUMMED = 1 << 13  # numbers summed at a time: fewer than those for which a BLAS would change the order with its threads


def rows(x: Array) -> Array:
    """All leading axes as one, without a copy: (T, B, F) -> (T·B, F).

    >>> rows(np.zeros((5, 2, 3))).shape
    (10, 3)
    """
    view = x.view()
    view.shape = (-1 if x.size else int(np.prod(x.shape[:-1])), x.shape[-1])  # raises where reshape would copy
    return view


def as_dtype(given: DTypeLike) -> np.dtype[Any] | None:
    """What NumPy takes it for; None where that is nothing: text with commas ends in errors of a parser there."""
    try:
        return np.dtype(given)
    except (TypeError, ValueError, SyntaxError):
        return None


@dataclass(frozen=True)
class OneHotRows:
    """One-hot rows that are never written out: `ids` (T, B) stands for an array (T, B, depth).

    A one-hot row times a matrix is a row of that matrix; the gradient is added to that row.
    """

    ids: Array
    depth: int


def is_masked(given: Any) -> bool:
    """Whether some numbers lie below a mask. A plain array has none: importing numpy.ma for it would take its time."""
    return isinstance(given, np.ndarray) and type(given) is not np.ndarray and bool(np.ma.is_masked(given))


def affine(x: Array | OneHotRows, W: Array, b: Array | None, out: Array) -> None:
    """out = x W + b.      x (..., F), W (F, K), b (K,), out (..., K)"""
    if isinstance(x, OneHotRows):
        if b is not None and len(W) < x.ids.size:
            W, b = W + b, None  # once a symbol, not once a step
        np.take(W, x.ids, axis=0, out=out, mode="clip")  # ids are checked where they enter; clip avoids a copy
    else:
        np.matmul(rows(x), W, out=rows(out))
    if b is not None:
        out += b


def affine_gradients(x: Array | OneHotRows, dy: Array, dW: Array, db: Array | None) -> None:
    """dW = xᵀ dy,   db = Σ dy."""
    if isinstance(x, OneHotRows):
        scatter_rows(x.ids, dy, dW)
        dy = dW  # which has the same sum, in fewer rows
    else:
        np.matmul(rows(x).T, rows(dy), out=dW)
    if db is not None:
        np.sum(rows(dy), axis=0, out=db)


def draw_mask(mask: Array, rate: float, rng: np.random.Generator) -> None:
    """mask = 1 / (1 - rate) with probability 1 - rate, else 0: what dropout multiplies with."""
    mask[...] = rng.random(mask.shape) >= rate
    mask *= 1 / (1 - rate)


def scatter_rows(ids: Array, dy: Array, out: Array) -> None:
    """out[k] = sum of the rows of dy whose id is k.      ids (...), dy (..., K), out (V, K)

    Row by row where ids are few, else symbol by symbol, which is up to seven times faster.
    """
    flat, dy = ids.reshape(-1), rows(dy)
    out[...] = 0
    if len(flat) < 4 * len(out):
        for k, row in zip(flat.tolist(), dy, strict=True):
            sum_of_k = out[k]
            sum_of_k += row  # in a view: adding by index would copy the sum back
        return
    order = np.argsort(flat, kind="stable")
    ends = np.cumsum(np.bincount(flat, minlength=len(out)))
    most = -(-len(flat) // 16)  # rows copied at a time, so that room does not depend on what the data are
    ones = np.ones(most, dy.dtype)
    for k, places in enumerate(np.split(order, ends[:-1])):
        for start in range(0, len(places), most):
            part = dy[places[start : start + most]]
            out[k] += np.dot(ones[: len(part)], part)


def sigmoid(x: Array, out: Array | None = None) -> Array:
    """σ(x) = ½ tanh(x / 2) + ½, which never overflows.

    >>> sigmoid(np.array([-1e9, 0.0, 1e9]))
    array([0. , 0.5, 1. ])
    """
    y = np.multiply(x, 0.5, out=out)
    np.tanh(y, out=y)
    y *= 0.5
    y += 0.5
    return y


def tanh(x: Array, out: Array | None = None) -> Array:
    """The hyperbolic tangent."""
    y: Array = np.tanh(x, out=out)
    return y


def split(x: Array, parts: int) -> list[Array]:
    """Views of what stands side by side in the last axis."""
    width = x.shape[-1] // parts
    return [x[..., k * width : (k + 1) * width] for k in range(parts)]


def pieces(x: Array, parts: int) -> Array:
    """Copies of what stands side by side in the rows of x, each in one piece, which halves what NumPy does with them.

    >>> pieces(np.array([[1, 2], [3, 4]]), 2).tolist()
    [[[1], [3]], [[2], [4]]]
    """
    return x.reshape(len(x), parts, -1).swapaxes(0, 1).copy()


def each(a: Array, *functions: Callable[..., Array]) -> list[Array]:
    """Parts that stand side by side, each put through its own function, `sigmoid` or `tanh`, in place.

    One tanh does it for all: σ(x) = ½ tanh(½ x) + ½.

    >>> i, g = each(np.zeros((1, 2)), sigmoid, tanh)
    >>> float(i[0, 0]), float(g[0, 0])
    (0.5, 0.0)
    """
    scale, shift = _scale_and_shift(a.shape, a.dtype, functions)
    a *= scale
    np.tanh(a, out=a)
    a *= scale
    a += shift
    return split(a, len(functions))


@lru_cache(maxsize=16)
def _scale_and_shift(
    shape: tuple[int, ...], dtype: np.dtype[Any], functions: tuple[Callable[..., Array], ...]
) -> tuple[Array, Array]:
    """Factors of the size of an array with which each part is scale · tanh(scale · a) + shift."""
    scale = np.empty(shape, dtype)
    for part, function in zip(split(scale, len(functions)), functions, strict=True):
        part[...] = {sigmoid: 0.5, tanh: 1.0}[function]
    return scale, 1 - scale


def softmax(logits: Array, out: Array) -> None:
    """softmax(v) = exp(v - max v) / Σ exp(v - max v) over the last axis.

    >>> p = np.empty(2); softmax(np.array([1e30, 0.0]), out=p); p
    array([1., 0.])
    """
    np.subtract(logits, logits.max(axis=-1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=-1, keepdims=True)


def sigmoid_slope(y: Array, out: Array) -> Array:
    """dσ(x)/dx = y (1 - y), from the output y = σ(x)."""
    np.subtract(1, y, out=out)
    return np.multiply(out, y, out=out)


def tanh_slope(y: Array, out: Array) -> Array:
    """dtanh(x)/dx = 1 - y², from the output y = tanh(x)."""
    np.multiply(y, y, out=out)
    return np.subtract(1, out, out=out)


def norm(gradient: Array) -> float:
    """The Euclidean length of a vector; of one whose squares overflow, by way of float64.

    >>> norm(np.array([3.0, 4.0]))
    5.0
    """
    whole = gradient.size // SUMMED * SUMMED
    blocks, rest = gradient[:whole].reshape(-1, SUMMED), gradient[whole:]
    with np.errstate(over="ignore", invalid="ignore"):
        square = float(np.vecdot(blocks, blocks).sum(dtype=np.float64)) + float(np.dot(rest, rest))
    if math.isfinite(square):
        return math.sqrt(square)
    return float(np.linalg.norm(gradient.astype(np.float64)))


# Polynomials, highest power first: numerator and denominator near 0, and further out.
ERF_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
ERF_MIDDLE = (
    (
        *(2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1),
        *(2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3),
        1.23033935479799725e3,
    ),
    (
        *(1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3),
        *(3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
    ),
)


def erf(x: Array) -> Array:
    """erf(x) = 2/√π ∫₀ˣ e^(-t²) dt, for complex numbers to the first order in their imaginary part.

    >>> erf(np.array([0.0, 0.5, -3.0])).round(6).tolist()
    [0.0, 0.5205, -0.999978]

    Cody 1969: quotients of polynomials, for |x| < 0.46875 and above.
    """
    real = np.asarray(x.real, np.float64)
    size = np.minimum(np.abs(real), 6.0)  # from there on it is 1
    small = real * np.polyval(ERF_SMALL[0], size**2) / np.polyval(ERF_SMALL[1], size**2)
    tail = np.exp(-(size**2)) * np.polyval(ERF_MIDDLE[0], size) / np.polyval(ERF_MIDDLE[1], size)
    value = np.where(size < 0.46875, small, np.copysign(1 - tail, real))
    if np.iscomplexobj(x):
        return value + 1j * x.imag * (2 / math.sqrt(math.pi)) * np.exp(-(real**2))
    return value.astype(x.dtype)
