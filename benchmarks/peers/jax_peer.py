"""JAX: the whole training step with optax compiled as one function; donated buffers let it update in place.

The loop of the scan is not unrolled: two, five, ten or all steps at a time were not faster, and compile for longer.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from benchmarks.peers.peer import Peer
from benchmarks.start import Weights, batches
from benchmarks.workloads import Workload


class Training(Peer):
    """Forward, backward, clip and Adam."""

    def __init__(self, workload: Workload, weights: Weights) -> None:
        self.workload = workload
        self.optimizer = optax.chain(optax.clip(workload.clip_value), optax.adam(workload.lr))
        self.weights = {name: jnp.asarray(array) for name, array in weights.items()}
        self.slots = self.optimizer.init(self.weights)
        shape = (workload.batch, workload.units)
        self.states = [(jnp.zeros(shape), jnp.zeros(shape)) for _ in range(workload.layers)]
        self.batches = cycle([(jnp.asarray(ids), jnp.asarray(targets)) for ids, targets in batches(workload)])
        self.update = jax.jit(self._update, donate_argnums=(0, 1, 2))

    def step(self) -> jax.Array:
        """One training step; the loss may not have been computed yet."""
        loss: jax.Array
        ids, targets = next(self.batches)
        self.weights, self.slots, self.states, loss = self.update(self.weights, self.slots, self.states, ids, targets)
        return loss

    def _update(self, weights: Any, slots: Any, states: Any, ids: Any, targets: Any) -> Any:
        differentiate = jax.value_and_grad(self._loss, has_aux=True)
        (loss, states), gradients = differentiate(weights, states, ids, targets)
        updates, slots = self.optimizer.update(gradients, slots)
        return optax.apply_updates(weights, updates), slots, states, loss

    def _loss(self, weights: Any, states: Any, ids: Any, targets: Any) -> Any:
        after = []
        hidden = None if self.workload.embedding is None else weights["embedding/table"][ids]
        for layer, state in enumerate(states):
            Wx = weights[f"lstm_{layer}/Wx"]
            shares = Wx[ids] if hidden is None else hidden @ Wx  # a one-hot row times a matrix is a row of it
            state, hidden = self._lstm(shares + weights[f"lstm_{layer}/b"], weights[f"lstm_{layer}/Wh"], state)
            after.append(state)
        logits = hidden @ weights["logits/W"] + weights["logits/b"]
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        return losses.sum() if self.workload.reduction == "sum" else losses.mean(), after

    def _lstm(self, shares: Any, Wh: Any, state: Any) -> Any:
        def cell(state: Any, share: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(share + h @ Wh, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        return jax.lax.scan(cell, state, shares)


def peer(workload: Workload, weights: Weights, _setting: str) -> Peer:
    """What does this work."""
    return Training(workload, weights)
