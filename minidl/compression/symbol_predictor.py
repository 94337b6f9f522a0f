"""What both sides of compression compute alike: the probabilities of the next symbols, and what is learnt from them."""

from __future__ import annotations

import numpy as np

from minidl.compression.mixture import ContextMixer
from minidl.graph.arrays import Array
from minidl.graph.symbol import Input
from minidl.layers import LSTM, Dense, OneHot, SoftmaxCE
from minidl.model import Model
from minidl.optim import Adam, Exponential

WINDOW = 16  # steps after which the network learns
UNITS = 192  # of a network that begins untrained


def untrained(symbols: int) -> Model:
    """The network for files that nothing is known of: it learns all that it knows from the file itself."""
    ids, targets = (Input(name, dtype="int", depth=symbols) for name in ("ids", "targets"))
    logits = Dense(symbols, name="logits")(LSTM(UNITS, name="lstm")(OneHot()(ids)))
    return Model(SoftmaxCE(name="loss")(logits, targets), outputs={"logits": logits}, seed=0)


class Predictor:
    """A network and counts of contexts that read several streams (B) at once, step by step, and learn on the way.

    model: from "ids" (T, B) to logits (T, B, V) and a loss with "targets"; a copy of it learns. begun: whether it was
    trained already, and has less to learn. letters: see Contexts; of V symbols, or of one more for what the network
    does not know. length: symbols of all streams.
    """

    def __init__(self, model: Model, streams: int, letters: Array, length: int, *, begun: bool) -> None:
        self._learner = model.replica(dtype=model.weights.flat.dtype)
        self._reader = self._learner.replica()
        self._logits = next(name for name in model.graph.results if name != "loss")
        rate = 1e-3 if begun else Exponential(5e-3, 4000, 0.5)
        self._optimizer = Adam(lr=rate, clip_norm=1.0)
        self._known = model.graph.inputs["ids"].depth or len(letters)
        self._mixer = ContextMixer(streams, letters, length)
        self._network = np.full((streams, len(letters)), -12.0, np.float32)
        self._ids = np.zeros((WINDOW + 1, streams), np.int64)
        self._targets = np.full((WINDOW, streams), -1)
        self._filled = 0

    def probabilities(self) -> Array:
        """The probability of each symbol to be the next one of each stream (B, V)."""
        logits = self._reader.forward(ids=self._ids[self._filled : self._filled + 1])[self._logits][0]
        largest = logits.max(axis=1, keepdims=True)
        normaliser = largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))
        self._network[:, : self._known] = logits - normaliser
        return self._mixer.mix(self._network)

    def read(self, symbols: Array, coded: Array) -> None:
        """What the next symbols were (B,). coded: which streams go on; of the others nothing is learnt."""
        self._mixer.learn(symbols, coded)
        known = symbols < self._known
        self._targets[self._filled] = np.where(known & coded, symbols, -1)
        self._filled += 1
        self._ids[self._filled] = np.where(known, symbols, 0)
        if self._filled == WINDOW:
            self._learn()

    def _learn(self) -> None:
        self._learner.forward(ids=self._ids[:WINDOW], targets=self._targets)
        self._learner.backward()
        self._optimizer.step(self._learner)
        self._ids[0], self._filled = self._ids[WINDOW], 0
