"""The equations of minidl in C. Nothing imports this room but `minidl` itself, which switches it on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from minidl.engine.dispatch import Offer, Twins, offer


@cache
def _missing() -> str | None:
    if any(Path(__file__).parent.glob("_library*.*")):
        return None
    return "minidl computes with NumPy: no C compiler was found when it was installed; install gcc and minidl again"


def _both(kind: type[Any], twins: tuple[Callable[..., Any], Callable[..., Any]]) -> Twins:
    return {(kind, "forward"): twins[0], (kind, "backward"): twins[1]}


def _load() -> Twins:
    from minidl import layers, optim
    from minidl.engine import feeds
    from minidl.generate.sampler import Sampler
    from minidl.kernels import feedforward, recurrent, updates

    return {
        **_both(layers.RNN, recurrent.rnn),
        **_both(layers.GRU, recurrent.gru),
        **_both(layers.LSTM, recurrent.lstm),
        **_both(layers.MinGRU, recurrent.min_gru),
        **_both(layers.MinLSTM, recurrent.min_lstm),
        (layers.Dense, "forward"): feedforward.dense_forward,
        (layers.Dense, "backward"): feedforward.dense_backward,
        (layers.Embedding, "backward"): feedforward.embedding_backward,
        (layers.LayerNorm, "forward"): feedforward.layer_norm_forward,
        (layers.LayerNorm, "backward"): feedforward.layer_norm_backward,
        (layers.SoftmaxCE, "forward"): feedforward.softmax_ce_forward,
        (layers.SoftmaxCE, "backward"): feedforward.softmax_ce_backward,
        (optim.SGD, "change"): updates.twin("sgd", updates.sgd),
        (optim.RMSprop, "change"): updates.twin("rmsprop", updates.rmsprop),
        (optim.Adam, "change"): updates.twin("adam", updates.adam),
        **{(kind, "length"): updates.length for kind in (optim.SGD, optim.RMSprop, optim.Adam)},
        (Sampler, "draws"): updates.draws,
        (feeds.Feeds, "within"): updates.within,
    }


def _level() -> str:
    from minidl.kernels.library import level

    return level()


def register() -> None:
    """Offer the functions in C in the place of those on NumPy."""
    offer(Offer("c", _missing, _load, _level))
