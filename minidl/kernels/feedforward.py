"""Dense, Embedding, LayerNorm and SoftmaxCE in C: src/dense.h, src/layer_norm.h and src/softmax_ce.h.

Threads share rows, features or symbols; what is summed over rows is summed over shares of the sequences of a batch,
each in order of time, and then in pairs (`minidl.graph.sums`).
"""

from __future__ import annotations

import ctypes
import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.engine.dispatch import Call
from minidl.graph.operations import OneHotRows
from minidl.graph.sums import shares
from minidl.kernels.library import function, kernel, packed
from minidl.kernels.recurrent import one_by_one
from minidl.layers import Dense, Embedding, LayerNorm, SoftmaxCE

Array = NDArray[Any]
PER_NUMBER = 50  # multiplications that an exponential function and what is around it are worth


def rows_of(leading: tuple[int, ...]) -> dict[str, int]:
    """The leading axes of an array as steps T and sequences B, and the shares of these."""
    B = leading[-1] if leading else 1
    return {"T": math.prod(leading[:-1]), "B": B, "shares": shares(B)}


def as_map(x: Array | OneHotRows, W: Array) -> dict[str, Any]:
    """The input of a Dense, and its weights, which may be those of an Embedding seen transposed."""
    tied = not W.flags.c_contiguous
    given = {"ids": x.ids} if isinstance(x, OneHotRows) else {"x": x}
    weights = np.ascontiguousarray(W) if tied and "ids" in given else W
    F, V = W.shape
    return {"F": F, "V": V, "tied": tied, "W": weights.T if tied else W, **given}


def dense_forward(layer: Dense, x: Array, W: Array, b: Array, y: Array) -> Call:
    """As Dense.forward."""
    values = {**rows_of(y.shape[:-1]), **as_map(x, W)}
    rows = values["T"] * values["B"]
    return kernel("dense_forward", "Dense", y.dtype, rows, rows * W.size, b=b, y=y, **values)


def dense_backward(layer: Dense, x: Array, W: Array, dy: Array, dW: Array, db: Array, dx: Array | None) -> Call:
    """As Dense.backward."""
    values = {**rows_of(dy.shape[:-1]), **as_map(x, W)}
    if "ids" in values:
        return kernel("scatter", "Dense", dy.dtype, len(W), 2 * dy.size, dy=dy, dW=dW, db=db, **values)
    work = 2 * dy.size * len(W)
    return kernel("dense_backward", "Dense", dy.dtype, W.size, work, dy=dy, dW=dW, db=db, dx=dx, **values)


def embedding_backward(layer: Embedding, ids: Array, mask: Array, dy: Array, dtable: Array, training: bool) -> Call:
    """As Embedding.backward."""
    V, units = dtable.shape
    values = {"F": V, "V": units, "ids": ids, "dy": dy, "dW": dtable, **rows_of(ids.shape)}
    total = kernel("scatter", "Dense", dy.dtype, V, 2 * dy.size, **values)
    return one_by_one(total, partial(layer.mask_gradient, dtable, mask, training)) if layer.dropout else total


def layer_norm_forward(
    layer: LayerNorm, x: Array, gain: Array, bias: Array, n: Array, inverse: Array, y: Array
) -> Call:
    """As LayerNorm.forward."""
    rows, F = x.size // x.shape[-1], x.shape[-1]
    values = {"x": x, "gain": gain, "bias": bias, "n": n, "inverse": inverse, "y": y}
    return kernel("layer_norm_forward", "LayerNorm", x.dtype, rows, 10 * x.size, F=F, eps=layer.eps, **values)


def layer_norm_backward(
    layer: LayerNorm, gain: Array, n: Array, inverse: Array, dy: Array, dx: Array | None, dgain: Array, dbias: Array
) -> Call:
    """As LayerNorm.backward."""
    F, rows = dy.shape[-1], dy.size // dy.shape[-1]
    values = {"gain": gain, "n": n, "inverse": inverse, "dy": dy, "dx": dx, "dgain": dgain, "dbias": dbias, "F": F}
    values |= rows_of(dy.shape[:-1])
    inputs = kernel("layer_norm_backward", "LayerNorm", dy.dtype, rows, 10 * dy.size, **values)
    return one_by_one(inputs, kernel("layer_norm_gradients", "LayerNorm", dy.dtype, 1, 0, **values))


def softmax_ce_forward(layer: SoftmaxCE, logits: Array, targets: Array, p: Array, weight: Array, y: Array) -> Call:
    """As SoftmaxCE.forward."""
    sizes, losses = tuple(rows_of(targets.shape).values()), np.empty(targets.shape)
    values: dict[str, Any] = {"logits": logits, "targets": targets, "p": p, "weight": weight, "losses": losses}
    values |= {"mean": layer.reduction == "mean", "smoothing": layer.label_smoothing}
    values |= {"R": targets.size, "V": p.shape[-1]}
    each = kernel("softmax_ce_forward", "SoftmaxCE", p.dtype, targets.size, PER_NUMBER * p.size, **values)
    total = function("total_loss", p.dtype, ctypes.c_double, ctypes.c_char_p, *[ctypes.c_int64] * 3)
    block = packed("SoftmaxCE", {"losses": losses})

    def call() -> None:
        each()
        y.fill(total(block, *sizes))

    return call


def softmax_ce_backward(
    layer: SoftmaxCE, targets: Array, p: Array, weight: Array, dy: Array, dlogits: Array | None
) -> Call:
    """As SoftmaxCE.backward."""
    if dlogits is None:
        return lambda: None
    values: dict[str, Any] = {"targets": targets, "p": p, "weight": weight, "dy": dy, "dlogits": dlogits}
    values |= {"R": targets.size, "V": p.shape[-1], "smoothing": layer.label_smoothing}
    return kernel("softmax_ce_backward", "SoftmaxCE", p.dtype, targets.size, PER_NUMBER * p.size, **values)
