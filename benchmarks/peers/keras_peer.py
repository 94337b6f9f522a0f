"""Keras 3, on TensorFlow with XLA or on PyTorch: LSTMs that carry their state, trained batch by batch.

KERAS_BACKEND in the environment says on which. On PyTorch a `stateful` LSTM overwrites what the way back needs, so that
the states go in and out there, in a loop of its own as Keras's guide has it.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import keras  # type: ignore[import-untyped]
import numpy as np

from benchmarks.peers.peer import Peer
from benchmarks.start import Weights, batches
from benchmarks.workloads import Workload

STATEFUL = keras.backend.backend() == "tensorflow"


class Adam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam as in algorithm 1 of the paper: Keras adds epsilon where it has to be less, before the bias is corrected."""

    @property
    def epsilon(self) -> Any:
        """1e-8 √(1 - β₂ᵗ)."""
        t = keras.ops.cast(self.iterations + 1, "float32")
        return 1e-8 * keras.ops.sqrt(1 - keras.ops.power(self.beta_2, t))

    @epsilon.setter
    def epsilon(self, _given: float) -> None:
        """Keras sets it once; it is not what counts here."""


class Training(Peer):
    """Forward, backward, clip and Adam."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        self.net = net(workload, weights)
        reduction = "sum" if workload.reduction == "sum" else "sum_over_batch_size"
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
        self.optimizer = Adam(workload.lr, clipvalue=workload.clip_value)
        if STATEFUL:
            self.net.compile(self.optimizer, self.loss, jit_compile=True)
        self.states = [keras.ops.zeros((workload.batch, workload.units))] * 2 * workload.layers
        self.batches = cycle([(self._of(ids), self._of(targets)) for ids, targets in batches(workload)])

    def _of(self, ids: Any) -> Any:
        return np.ascontiguousarray(ids.T, dtype=np.int32)

    def step(self) -> float:
        """One training step."""
        ids, targets = next(self.batches)
        if not STATEFUL:
            return self._step_on_torch(ids, targets)
        self.net.reset_metrics()  # or else the loss is a mean over all steps so far
        return float(self.net.train_on_batch(ids, targets))

    def _step_on_torch(self, ids: Any, targets: Any) -> float:
        import torch

        self.net.zero_grad()
        logits, *states = self.net([torch.from_numpy(ids), *self.states])
        loss = self.loss(targets, logits)
        loss.backward()
        with torch.no_grad():
            self.optimizer.apply(
                [weight.value.grad for weight in self.net.trainable_weights], self.net.trainable_weights
            )
        self.states = [state.detach() for state in states]
        return float(loss.item())


def net(workload: Workload, weights: Weights) -> Any:
    """Rows of a table (of the unit matrix for one-hot input), LSTMs, a dense layer; states too unless they are kept."""
    one_hot = workload.embedding is None
    table = np.eye(workload.symbols, dtype=np.float32) if one_hot else weights["embedding/table"]
    ids = keras.Input(batch_shape=(workload.batch, workload.steps), dtype="int32")
    embedding = keras.layers.Embedding(*table.shape, trainable=not one_hot)
    hidden, before, after = embedding(ids), [], []
    embedding.set_weights([table])
    for layer in range(workload.layers):
        lstm = keras.layers.LSTM(workload.units, return_sequences=True, stateful=STATEFUL, return_state=not STATEFUL)
        if STATEFUL:
            hidden = lstm(hidden)
        else:
            first = [keras.Input(batch_shape=(workload.batch, workload.units)) for _ in range(2)]
            hidden, *last = lstm(hidden, initial_state=first)
            before += first
            after += last
        lstm.set_weights([weights[f"lstm_{layer}/{name}"] for name in ("Wx", "Wh", "b")])
    dense = keras.layers.Dense(workload.symbols)
    logits = dense(hidden)
    dense.set_weights([weights["logits/W"], weights["logits/b"]])
    return keras.Model(ids, logits) if STATEFUL else keras.Model([ids, *before], [logits, *after])


def peer(workload: Workload, weights: Weights, _setting: str) -> Peer:
    """What does this work; its setting is in the environment."""
    return Training(workload, weights)
