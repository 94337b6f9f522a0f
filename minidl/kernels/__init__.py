"""Which code runs a layer: its own, on NumPy, or a compiled twin of the same equations (the extra `[fast]`).

Twins are used where numba is installed, for the layers of minidl itself (not for classes derived from them) in float32
and float64. `MINIDL_KERNELS=numpy` or `=numba` in the environment decides otherwise, and so does `select`.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minidl.errors import UsageError, suggest

Call = Callable[[], Any]  # of a layer whose arrays are in place
KINDS = ("numpy", "numba")
COMPILED = (np.dtype("float32"), np.dtype("float64"))
VARIABLE = "MINIDL_KERNELS"
_selected: str | None = None


def select(name: str | None) -> None:
    """Use these kernels for what is bound from now on: "numpy", "numba", or None for what the machine has.

    The environment variable MINIDL_KERNELS has the last word.

    >>> select("cuda")
    Traceback (most recent call last):
    minidl.errors.UsageError: there are no kernels 'cuda' (known: numpy, numba)
    """
    global _selected
    if name is not None:
        _check(name, "")
    _selected = name


def in_use() -> str:
    """The kernels that a layer bound now would get."""
    named = os.environ.get(VARIABLE)
    if named:
        _check(named, f"{VARIABLE}: ")
        return named
    return _selected or ("numba" if _installed() else "numpy")


def implementation(kind: type[Any], function: str, dtype: DTypeLike) -> Callable[..., Any]:
    """What computes a function of a kind of layer, optimizer and the like: its own method, or its compiled twin.

    The method computes; the twin of a layer's method is given its arrays once, and returns what each pass calls.
    """
    own: Callable[..., Any] = getattr(kind, function)
    if in_use() != "numba" or np.dtype(dtype) not in COMPILED:
        return own
    return _twins().get((kind, function), own)


def arguments(function: Callable[..., Any]) -> list[str]:
    """The names of the arrays that an implementation asks for, after the layer."""
    return list(inspect.signature(function).parameters)[1:]


def _check(name: str, where: str) -> None:
    if name not in KINDS:
        raise UsageError(f"{where}there are no kernels {name!r}{suggest(name, KINDS)} (known: {', '.join(KINDS)})")
    if name == "numba" and not _installed():
        raise UsageError(f"{where}the compiled kernels need numba: pip install 'minidl[fast]'")


@cache
def _installed() -> bool:
    return importlib.util.find_spec("numba") is not None


@cache
def _twins() -> dict[tuple[type[Any], str], Callable[..., Any]]:
    """The compiled functions by layer; numba is imported here, when the first layer is bound."""
    from minidl import choice as choices
    from minidl import feeds, layers, optim
    from minidl.kernels import adam, choice, dense, embedding, gru, ids, lstm, norm, rnn, softmax_ce

    return {
        (layers.RNN, "forward"): rnn.forward,
        (layers.RNN, "backward"): rnn.backward,
        (layers.GRU, "forward"): gru.forward,
        (layers.GRU, "backward"): gru.backward,
        (layers.LSTM, "forward"): lstm.forward,
        (layers.LSTM, "backward"): lstm.backward,
        (layers.Dense, "forward"): dense.forward,
        (layers.Dense, "backward"): dense.backward,
        (layers.Embedding, "backward"): embedding.backward,
        (layers.SoftmaxCE, "forward"): softmax_ce.forward,
        (layers.SoftmaxCE, "backward"): softmax_ce.backward,
        (optim.Adam, "change"): adam.change,
        **{(kind, "length"): norm.length for kind in (optim.SGD, optim.RMSprop, optim.Adam)},
        (choices.Choice, "draw"): choice.draw,
        (feeds.Feeds, "within"): ids.within,
    }
