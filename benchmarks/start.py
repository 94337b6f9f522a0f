"""What every peer starts from: the same weights and the same batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.workloads import Workload

if TYPE_CHECKING:
    from minidl import Model

Array = NDArray[Any]
Weights = dict[str, Array]
Batch = tuple[Array, Array]
TOKENS = 100_000  # long enough that no model learns them by heart and runs into denormal numbers


def model(workload: Workload, weights: Weights | None = None) -> Model:
    """The workload's model in minidl, with its first weights or with given ones."""
    from minidl import Input, Model
    from minidl.layers import LSTM, Dense, Embedding, OneHot, SoftmaxCE

    ids = Input("ids", dtype="int", depth=workload.symbols)
    targets = Input("targets", dtype="int", depth=workload.symbols)
    hidden = OneHot()(ids) if workload.embedding is None else Embedding(workload.embedding, name="embedding")(ids)
    for layer in range(workload.layers):
        hidden = LSTM(workload.units, name=f"lstm_{layer}")(hidden)
    logits = Dense(workload.symbols, name="logits")(hidden)
    loss = SoftmaxCE(reduction=workload.reduction, name="loss")(logits, targets)  # type: ignore[arg-type]
    made = Model(loss, outputs={"logits": logits}, seed=0)
    for name, array in (weights or {}).items():
        made.parameters[name][...] = array
    return made


def write_weights(workload: Workload, path: Path) -> None:
    """The first weights as an npz file, named and laid out as in minidl: "lstm_0/Wx" (F, 4H), gates i, f, g, o."""
    np.savez(path, **dict(model(workload).parameters))  # type: ignore[arg-type]


def read_weights(path: str) -> Weights:
    """What `write_weights` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def batches(workload: Workload) -> list[Batch]:
    """Windows (ids, targets), each (T, B), that follow one another in B streams.

    Symbols are drawn with frequencies 1 / (k + 1), roughly as in text.

    >>> from benchmarks.workloads import WORKLOADS
    >>> (x, y), (x2, _), *_ = batches(WORKLOADS["W3"])
    >>> x.shape, bool((x[1:] == y[:-1]).all()), bool((y[-1] == x2[0]).all())
    ((50, 32), True, True)
    """
    rng = np.random.default_rng(0)
    count = 8 if workload.use == "sampling" else max(8, TOKENS // workload.tokens)
    frequency = 1 / np.arange(1, workload.symbols + 1)
    size = (count * workload.steps + 1, workload.batch)
    stream = rng.choice(workload.symbols, size, p=frequency / frequency.sum())
    starts = range(0, count * workload.steps, workload.steps)
    return [(stream[t : t + workload.steps], stream[t + 1 : t + 1 + workload.steps]) for t in starts]
