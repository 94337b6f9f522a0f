"""The equations of minidl in C. Nothing imports this room but `minidl` itself, which switches it on."""

from __future__ import annotations

from pathlib import Path

from minidl.engine.dispatch import Offer, Twins, offer


def _missing() -> str | None:
    if any(Path(__file__).parent.glob("_library*.*")):
        return None
    return "minidl computes with NumPy: no C compiler was found when it was installed; install gcc and minidl again"


def _load() -> Twins:
    from minidl import layers, optim
    from minidl.engine import feeds
    from minidl.generate.sampler import Sampler
    from minidl.kernels import feedforward, recurrent, updates

    return {
        (layers.RNN, "forward"): recurrent.rnn_forward,
        (layers.RNN, "backward"): recurrent.rnn_backward,
        (layers.GRU, "forward"): recurrent.gru_forward,
        (layers.GRU, "backward"): recurrent.gru_backward,
        (layers.LSTM, "forward"): recurrent.lstm_forward,
        (layers.LSTM, "backward"): recurrent.lstm_backward,
        (layers.Dense, "forward"): feedforward.dense_forward,
        (layers.Dense, "backward"): feedforward.dense_backward,
        (layers.Embedding, "backward"): feedforward.embedding_backward,
        (layers.LayerNorm, "forward"): feedforward.layer_norm_forward,
        (layers.LayerNorm, "backward"): feedforward.layer_norm_backward,
        (layers.SoftmaxCE, "forward"): feedforward.softmax_ce_forward,
        (layers.SoftmaxCE, "backward"): feedforward.softmax_ce_backward,
        (optim.SGD, "change"): updates.sgd,
        (optim.RMSprop, "change"): updates.rmsprop,
        (optim.Adam, "change"): updates.adam,
        **{(kind, "length"): updates.length for kind in (optim.SGD, optim.RMSprop, optim.Adam)},
        (Sampler, "draw"): updates.draw,
        (feeds.Feeds, "within"): updates.within,
    }


def _level() -> str:
    from minidl.kernels.library import level

    return level()


def register() -> None:
    """Offer the functions in C in the place of those on NumPy."""
    offer(Offer("c", _missing, _load, _level))
