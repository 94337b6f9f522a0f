"""The character LSTM of the notebook minidl grew from, rebuilt from its equations: minidl must give the same numbers.

One sequence at a time, float64. Vectors are columns; each gate has weights (H, H + V) that act on the stack [h; x] of
the hidden state and a one-hot token:

    f, i, o = sigmoid(W [h; x] + b)      c~ = tanh(W_c [h; x] + b_c)
    c' = f c + i c~                      h' = o tanh(c')
    p = softmax(W_v h' + b_v)            loss = sum over the window of -log p[target]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Params: TypeAlias = dict[str, Array]

GATES = "fico"


def init(rng: np.random.Generator, vocab: int, hidden: int) -> Params:
    """Normal weights of deviation 1/sqrt(H + V), for the output 1/sqrt(V); biases 0, of the forget gate 1."""
    params = {}
    for gate in GATES:
        params[f"W_{gate}"] = rng.standard_normal((hidden, hidden + vocab)) / np.sqrt(hidden + vocab)
        params[f"b_{gate}"] = np.full((hidden, 1), 1.0 if gate == "f" else 0.0)
    params["W_v"] = rng.standard_normal((vocab, hidden)) / np.sqrt(vocab)
    params["b_v"] = np.zeros((vocab, 1))
    return params


def _gates(params: Params, stack: Array) -> dict[str, Array]:
    """The four gates, by their letter."""
    pre = {gate: params[f"W_{gate}"] @ stack + params[f"b_{gate}"] for gate in GATES}
    return {gate: np.tanh(a) if gate == "c" else 1 / (1 + np.exp(-a)) for gate, a in pre.items()}


def _softmax(v: Array) -> Array:
    powers = np.exp(v - v.max())
    return np.asarray(powers / powers.sum())


def forward_backward(
    params: Params, ids: Sequence[int], targets: Sequence[int], h: Array, c: Array
) -> tuple[float, Params, Array, Array]:
    """Loss of a window read from the state h, c (H, 1), its gradients by parameter, and the state after it.

    Gradients stop at the edge of the window; h and c are the constants it starts from.
    """
    loss = 0.0
    tape = []
    for token, target in zip(ids, targets, strict=True):
        stack = np.concatenate([h, np.eye(len(params["b_v"]))[:, [token]]])
        gates = _gates(params, stack)
        c_prev, c = c, gates["f"] * c + gates["i"] * gates["c"]
        h = gates["o"] * np.tanh(c)
        p = _softmax(params["W_v"] @ h + params["b_v"])
        loss -= float(np.log(p[target, 0]))
        tape.append((stack, gates, c_prev, c, h, p, target))

    grads = {name: np.zeros_like(array) for name, array in params.items()}
    dh, dc = np.zeros_like(h), np.zeros_like(c)
    for step in reversed(tape):
        dh, dc = _step_backward(params, grads, step, dh, dc)
    return loss, grads, h, c


def _step_backward(
    params: Params,
    grads: Params,
    step: tuple[Array, dict[str, Array], Array, Array, Array, Array, int],
    dh_later: Array,
    dc_later: Array,
) -> tuple[Array, Array]:
    """Add the gradients of one step to grads; return those of the h and c it started from."""
    stack, gates, c_prev, c, h, p, target = step
    f, i, g, o = (gates[gate] for gate in GATES)
    dv = p - np.eye(len(p))[:, [target]]
    grads["W_v"] += dv @ h.T
    grads["b_v"] += dv
    dh = params["W_v"].T @ dv + dh_later
    dc = dh * o * (1 - np.tanh(c) ** 2) + dc_later
    slopes = {
        "f": dc * c_prev * f * (1 - f),
        "i": dc * g * i * (1 - i),
        "c": dc * i * (1 - g**2),
        "o": dh * np.tanh(c) * o * (1 - o),
    }
    dstack = np.zeros_like(stack)
    for gate, da in slopes.items():
        grads[f"W_{gate}"] += da @ stack.T
        grads[f"b_{gate}"] += da
        dstack += params[f"W_{gate}"].T @ da
    return dstack[: len(h)], dc * f


def clip(grads: Params, bound: float = 5.0) -> Params:
    """Every element moved into [-bound, bound]."""
    return {name: np.clip(grad, -bound, bound) for name, grad in grads.items()}


def moments(params: Params) -> tuple[Params, Params]:
    """The running means m and v that Adam starts with: zeros."""
    m = {name: np.zeros_like(array) for name, array in params.items()}
    return m, {name: array.copy() for name, array in m.items()}


def adam(
    params: Params,
    grads: Params,
    running: tuple[Params, Params],
    step: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> None:
    """In place: m, v follow g, g^2;  param -= lr m^ / (sqrt(v^) + eps), m^ = m / (1 - beta1^step), v^ likewise.

    step counts the updates from 1 and goes on from epoch to epoch.
    """
    m, v = running
    for name, grad in grads.items():
        m[name] = beta1 * m[name] + (1 - beta1) * grad
        v[name] = beta2 * v[name] + (1 - beta2) * grad**2
        m_hat, v_hat = m[name] / (1 - beta1**step), v[name] / (1 - beta2**step)
        params[name] -= lr * m_hat / (np.sqrt(v_hat) + eps)


def to_minidl(arrays: Params) -> dict[str, Array]:
    """Parameters or their gradients in minidl's layout: x @ W, the gates side by side in the order i, f, g, o."""
    hidden = len(arrays["b_f"])
    gates = [arrays[f"W_{gate}"] for gate in "ifco"]
    return {
        "lstm/Wx": np.concatenate([W[:, hidden:].T for W in gates], axis=1),
        "lstm/Wh": np.concatenate([W[:, :hidden].T for W in gates], axis=1),
        "lstm/b": np.concatenate([arrays[f"b_{gate}"][:, 0] for gate in "ifco"]),
        "logits/W": arrays["W_v"].T.copy(),
        "logits/b": arrays["b_v"][:, 0].copy(),
    }
