"""Slow, obvious float64 versions of the layers, so that fast code can be held against equations one can read.

Arrays are float64 and time-major: x (T, B, F), states (B, H). Loops run over time t, rows of the batch and units k.
Weights have minidl's layout: x @ W, gates side by side. A backward function takes the arguments of its forward function
and the gradient of its outputs; it returns gradients by the name of the argument.
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


def dense_backward(x: Array, W: Array, b: Array, dy: Array) -> dict[str, Array]:
    """dx = dy W^T, dW = sum x^T dy, db = sum dy, the sums over all rows."""
    dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros_like(b)
    for at in np.ndindex(x.shape[:-1]):
        dx[at] = vecmat(dy[at], W.T)
        dW += np.outer(x[at], dy[at])
        db += dy[at]
    return {"x": dx, "W": dW, "b": db}


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


# Recurrent layers: forward returns every h (T, B, H), then the final states


def rnn(x: Array, h0: Array, Wx: Array, Wh: Array, b: Array, kind: str) -> tuple[Array, Array]:
    """h' = act(x Wx + h Wh + b), act tanh or relu."""
    T, B, _ = x.shape
    h = np.concatenate([h0[None], np.empty((T, *h0.shape))])  # h[t] is the state before step t
    for n in range(B):
        for t in range(T):
            h[t + 1, n] = activation(kind, vecmat(x[t, n], Wx) + vecmat(h[t, n], Wh) + b)
    return h[1:], h[-1]


def rnn_backward(x: Array, h0: Array, Wx: Array, Wh: Array, b: Array, kind: str, dh: Array) -> dict[str, Array]:
    """With a = x Wx + h Wh + b:  da = dh' act'(a),  dx = da Wx^T,  dh = da Wh^T;  dWx, dWh, db sum over t and n.

    dh (T, B, H) is the gradient of every h; that of the final state belongs into dh[-1].
    """
    T, B, _ = x.shape
    h = np.concatenate([h0[None], rnn(x, h0, Wx, Wh, b, kind)[0]])
    grads = {"x": np.zeros_like(x), "h0": np.zeros_like(h0)}
    grads |= {"Wx": np.zeros_like(Wx), "Wh": np.zeros_like(Wh), "b": np.zeros_like(b)}
    for n in range(B):
        later = np.zeros_like(h0[n])  # what the steps after t want of h[t + 1]
        for t in reversed(range(T)):
            slope = 1 - h[t + 1, n] ** 2 if kind == "tanh" else h[t + 1, n] > 0
            da = (dh[t, n] + later) * slope
            grads["x"][t, n] = vecmat(da, Wx.T)
            grads["Wx"] += np.outer(x[t, n], da)
            grads["Wh"] += np.outer(h[t, n], da)
            grads["b"] += da
            later = vecmat(da, Wh.T)
        grads["h0"][n] = later
    return grads


def _gru_gates(x: Array, h: Array, Wx: Array, Wh: Array, b: Array, bh: Array) -> tuple[Array, ...]:
    """Gates r, z, n of one row for one step, and the part of n that comes from h, before r scales it."""
    ar, az, an = np.split(vecmat(x, Wx) + b, 3)
    hr, hz, hn = np.split(vecmat(h, Wh) + bh, 3)
    r = activation("sigmoid", ar + hr)
    z = activation("sigmoid", az + hz)
    n = activation("tanh", an + r * hn)
    return r, z, n, hn


def gru(x: Array, h0: Array, Wx: Array, Wh: Array, b: Array, bh: Array) -> tuple[Array, Array]:
    """r, z = sigmoid(x Wx + b + h Wh + bh),  n = tanh(x Wxn + bn + r (h Whn + bhn)),  h' = (1 - z) n + z h."""
    T, B, _ = x.shape
    h = np.concatenate([h0[None], np.empty((T, *h0.shape))])
    for row in range(B):
        for t in range(T):
            _, z, n, _ = _gru_gates(x[t, row], h[t, row], Wx, Wh, b, bh)
            h[t + 1, row] = (1 - z) * n + z * h[t, row]
    return h[1:], h[-1]


def gru_backward(x: Array, h0: Array, Wx: Array, Wh: Array, b: Array, bh: Array, dh: Array) -> dict[str, Array]:
    """The chain rule through gru, backwards in time; da is the gradient of x Wx + b, dq that of h Wh + bh.

    They differ in the third of n alone: dq_n = da_n r. dh (T, B, H) as in rnn_backward.
    """
    T, B, _ = x.shape
    h = np.concatenate([h0[None], gru(x, h0, Wx, Wh, b, bh)[0]])
    grads = {"x": np.zeros_like(x), "h0": np.zeros_like(h0)}
    grads |= {"Wx": np.zeros_like(Wx), "Wh": np.zeros_like(Wh), "b": np.zeros_like(b), "bh": np.zeros_like(bh)}
    for row in range(B):
        later = np.zeros_like(h0[row])
        for t in reversed(range(T)):
            r, z, n, hn = _gru_gates(x[t, row], h[t, row], Wx, Wh, b, bh)
            dout = dh[t, row] + later
            da_n = dout * (1 - z) * (1 - n**2)
            da_z = dout * (h[t, row] - n) * z * (1 - z)
            da_r = da_n * hn * r * (1 - r)
            da = np.concatenate([da_r, da_z, da_n])
            dq = np.concatenate([da_r, da_z, da_n * r])
            grads["x"][t, row] = vecmat(da, Wx.T)
            grads["Wx"] += np.outer(x[t, row], da)
            grads["Wh"] += np.outer(h[t, row], dq)
            grads["b"] += da
            grads["bh"] += dq
            later = dout * z + vecmat(dq, Wh.T)
        grads["h0"][row] = later
    return grads


def _lstm_gates(x: Array, h: Array, Wx: Array, Wh: Array, b: Array) -> tuple[Array, Array, Array, Array]:
    """Gates i, f, g, o of one row for one step."""
    ai, af, ag, ao = np.split(vecmat(x, Wx) + vecmat(h, Wh) + b, 4)
    return activation("sigmoid", ai), activation("sigmoid", af), activation("tanh", ag), activation("sigmoid", ao)


def _lstm_states(x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array) -> tuple[Array, Array]:
    """Every h and c, the first ones included: two arrays (T + 1, B, H)."""
    T, B, _ = x.shape
    h = np.concatenate([h0[None], np.empty((T, *h0.shape))])
    c = np.concatenate([c0[None], np.empty((T, *c0.shape))])
    for n in range(B):
        for t in range(T):
            i, f, g, o = _lstm_gates(x[t, n], h[t, n], Wx, Wh, b)
            c[t + 1, n] = f * c[t, n] + i * g
            h[t + 1, n] = o * activation("tanh", c[t + 1, n])
    return h, c


def lstm(x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array) -> tuple[Array, Array, Array]:
    """i, f, o = sigmoid(x Wx + h Wh + b),  g = tanh(same),  c' = f c + i g,  h' = o tanh(c')."""
    h, c = _lstm_states(x, h0, c0, Wx, Wh, b)
    return h[1:], h[-1], c[-1]


def lstm_backward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array, dh: Array, dc_last: Array
) -> dict[str, Array]:
    """The chain rule through lstm, backwards in time; da is the gradient of x Wx + h Wh + b.

    dh (T, B, H) as in rnn_backward; dc_last (B, H) is the gradient of the final cell state.
    """
    T, B, _ = x.shape
    h, c = _lstm_states(x, h0, c0, Wx, Wh, b)
    grads = {"x": np.zeros_like(x), "h0": np.zeros_like(h0), "c0": np.zeros_like(c0)}
    grads |= {"Wx": np.zeros_like(Wx), "Wh": np.zeros_like(Wh), "b": np.zeros_like(b)}
    for n in range(B):
        later_h, later_c = np.zeros_like(h0[n]), dc_last[n]
        for t in reversed(range(T)):
            i, f, g, o = _lstm_gates(x[t, n], h[t, n], Wx, Wh, b)
            tanh_c = activation("tanh", c[t + 1, n])
            dout = dh[t, n] + later_h
            dc = later_c + dout * o * (1 - tanh_c**2)
            da_i = dc * g * i * (1 - i)
            da_f = dc * c[t, n] * f * (1 - f)
            da_g = dc * i * (1 - g**2)
            da_o = dout * tanh_c * o * (1 - o)
            da = np.concatenate([da_i, da_f, da_g, da_o])
            grads["x"][t, n] = vecmat(da, Wx.T)
            grads["Wx"] += np.outer(x[t, n], da)
            grads["Wh"] += np.outer(h[t, n], da)
            grads["b"] += da
            later_h, later_c = vecmat(da, Wh.T), dc * f
        grads["h0"][n], grads["c0"][n] = later_h, later_c
    return grads


def bidirectional(
    layer: Callable[..., tuple[Array, ...]], x: Array, ahead: tuple[Any, ...], back: tuple[Any, ...]
) -> tuple[Array, ...]:
    """y_t = [h_t reading forwards, h_t reading backwards], then the final states of both readings.

    layer is rnn, gru or lstm; ahead and back are its arguments after x, for each reading.
    """
    h, *states = layer(x, *ahead)
    h_back, *states_back = layer(reverse(x), *back)
    return np.concatenate([h, reverse(h_back)], axis=-1), *states, *states_back


# Losses


def _log_softmax(row: Array) -> Array:
    """log p_k = x_k - log sum_j exp x_j, with the largest x taken out so that exp never overflows."""
    top = max(row)
    log_sum = top + math.log(sum(math.exp(value - top) for value in row))
    return np.array([value - log_sum for value in row])


def _wanted(target: np.integer[Any], classes: int, label_smoothing: float) -> Array:
    """The target distribution: 1 - s on the target, and s spread evenly over all classes."""
    return (1 - label_smoothing) * one_hot(np.array(target), classes) + label_smoothing / classes


def softmax_ce(
    logits: Array, targets: Integers, reduction: str = "mean", ignore: int = -1, label_smoothing: float = 0.0
) -> float:
    """-sum_k q_k log p_k for logits (..., V) and targets (...), summed or averaged over the targets that count.

    Where no target counts the loss is 0.
    """
    losses = [
        -sum(_wanted(target, logits.shape[-1], label_smoothing) * _log_softmax(logits[at]))
        for at, target in np.ndenumerate(targets)
        if target != ignore
    ]
    return float(sum(losses)) / (max(len(losses), 1) if reduction == "mean" else 1)


def softmax_ce_backward(
    logits: Array, targets: Integers, reduction: str = "mean", ignore: int = -1, label_smoothing: float = 0.0
) -> Array:
    """d loss / d logits = p - q, divided by the number of targets that count for the mean; 0 where ignored."""
    dlogits = np.zeros_like(logits)
    for at, target in np.ndenumerate(targets):
        if target != ignore:
            dlogits[at] = np.exp(_log_softmax(logits[at])) - _wanted(target, logits.shape[-1], label_smoothing)
    return dlogits / (max(np.sum(targets != ignore), 1) if reduction == "mean" else 1)


def sigmoid_ce(logits: Array, targets: Array) -> float:
    """Mean of -(t log s(x) + (1 - t) log(1 - s(x))) = max(x, 0) - x t + log(1 + exp(-|x|)) over all elements."""
    losses = [
        max(x, 0.0) - x * t + math.log1p(math.exp(-abs(x))) for x, t in zip(logits.flat, targets.flat, strict=True)
    ]
    return float(sum(losses)) / len(losses)


def mse(y: Array, targets: Array) -> float:
    """Mean of (y - t)^2 over all elements."""
    losses = [(a - t) ** 2 for a, t in zip(y.flat, targets.flat, strict=True)]
    return float(sum(losses)) / len(losses)
