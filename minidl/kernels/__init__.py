"""The equations of minidl, compiled. Nothing imports this room but `minidl` itself, which switches it on."""

from __future__ import annotations

import importlib.util
from functools import cache

from minidl.engine.dispatch import Offer, Twins, offer


@cache
def _missing() -> str | None:
    found = importlib.util.find_spec("numba") is not None
    return None if found else "the compiled kernels need numba: pip install 'minidl[fast]'"


def _load() -> Twins:
    from minidl import layers, optim
    from minidl.engine import feeds
    from minidl.generate.sampler import Sampler
    from minidl.kernels import adam, dense, embedding, gru, ids, lstm, norm, rnn, sampler, softmax_ce

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
        (Sampler, "draw"): sampler.draw,
        (feeds.Feeds, "within"): ids.within,
    }


def register() -> None:
    """Offer the compiled functions in the place of those on NumPy."""
    offer(Offer("numba", _missing, _load))
