"""PyTorch's LSTM, GRU and RNN run on minidl's weights, so that outputs and gradients can be compared array by array.

The dtype of the arrays decides: float32 in gives float32 throughout. A test that calls these begins with
`pytest.importorskip("torch", reason=...)`; this module itself can be imported without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Array: TypeAlias = npt.NDArray[np.floating[Any]]


class Result(NamedTuple):
    """Outputs: every h (T, B, H), then the final states. Gradients: by argument, in minidl's layout."""

    outputs: tuple[Array, ...]
    gradients: dict[str, Array]


def copy_weights(module: torch.nn.RNNBase, weights: Mapping[str, Array], direction: str = "") -> None:
    """Fill layer 0 of module from Wx, Wh, b and, for a GRU, bh; direction "_reverse" for the one that reads backwards.

    Matrices are transposed. PyTorch adds two biases; without a bh the second is zero.
    """
    import torch

    bh = weights.get("bh", np.zeros_like(weights["b"]))
    arrays = {"weight_ih": weights["Wx"].T, "weight_hh": weights["Wh"].T, "bias_ih": weights["b"], "bias_hh": bh}
    with torch.no_grad():
        for name, array in arrays.items():
            module.get_parameter(f"{name}_l0{direction}").copy_(torch.tensor(array))


def _gradients(
    module: torch.nn.RNNBase, weights: Mapping[str, Array], inputs: Mapping[str, torch.Tensor]
) -> dict[str, Array]:
    """The gradients of the inputs and of the weights, by minidl's names and in its layout."""
    names = {"Wx": "weight_ih_l0", "Wh": "weight_hh_l0", "b": "bias_ih_l0", "bh": "bias_hh_l0"}
    grads = {name: np.asarray(tensor.grad) for name, tensor in inputs.items()}
    return grads | {name: np.asarray(module.get_parameter(names[name]).grad).T for name in weights}


def lstm(x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array, dh: Array, dc_last: Array) -> Result:
    """torch.nn.LSTM: outputs h, h_last, c_last; gradients of all arguments for dh (T, B, H) and dc_last (B, H)."""
    import torch

    weights = {"Wx": Wx, "Wh": Wh, "b": b}
    tx, th0, tc0 = (torch.tensor(array, requires_grad=True) for array in (x, h0, c0))
    module = torch.nn.LSTM(x.shape[2], h0.shape[1], dtype=tx.dtype)
    copy_weights(module, weights)
    h, (h_last, c_last) = module(tx, (th0[None], tc0[None]))
    torch.autograd.backward([h, c_last], [torch.tensor(dh), torch.tensor(dc_last)[None]])
    outputs = tuple(tensor.detach().numpy() for tensor in (h, h_last[0], c_last[0]))
    return Result(outputs, _gradients(module, weights, {"x": tx, "h0": th0, "c0": tc0}))


def gru(x: Array, h0: Array, Wx: Array, Wh: Array, b: Array, bh: Array, dh: Array) -> Result:
    """torch.nn.GRU: outputs h, h_last; gradients of all arguments for dh (T, B, H)."""
    import torch

    module = torch.nn.GRU(x.shape[2], h0.shape[1], dtype=torch.tensor(x).dtype)
    return _one_state(module, x, h0, {"Wx": Wx, "Wh": Wh, "b": b, "bh": bh}, dh)


def rnn(x: Array, h0: Array, Wx: Array, Wh: Array, b: Array, kind: str, dh: Array) -> Result:
    """torch.nn.RNN, kind tanh or relu: outputs h, h_last; gradients of all arguments for dh (T, B, H)."""
    import torch

    module = torch.nn.RNN(x.shape[2], h0.shape[1], nonlinearity=kind, dtype=torch.tensor(x).dtype)
    return _one_state(module, x, h0, {"Wx": Wx, "Wh": Wh, "b": b}, dh)


def _one_state(module: torch.nn.RNNBase, x: Array, h0: Array, weights: Mapping[str, Array], dh: Array) -> Result:
    """ForwardProgram and backward of a module whose only state is h."""
    import torch

    copy_weights(module, weights)
    tx, th0 = (torch.tensor(array, requires_grad=True) for array in (x, h0))
    h, h_last = module(tx, th0[None])
    h.backward(torch.tensor(dh))
    outputs = (h.detach().numpy(), h_last[0].detach().numpy())
    return Result(outputs, _gradients(module, weights, {"x": tx, "h0": th0}))
