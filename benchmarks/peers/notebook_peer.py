"""The class from which minidl grew, run from the text of a notebook that the user names; it computes in float64."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.peer import Peer
from benchmarks.start import Array, Weights, batches
from benchmarks.workloads import Workload

HEADING = "# Versión original"
ARRAYS = ("Wx", "Wh", "b")
GATES = {"i": "i", "f": "f", "c": "g", "o": "o"}  # the notebook's name of a gate, minidl's


def class_source(text: str) -> str:
    """The code of the first cell under the heading.

    >>> class_source("# Versión original\\n\\nIn [24]:\\nclass LSTM:\\n    pass\\n\\nIn [25]:\\nLSTM()\\n")
    'class LSTM:\\n    pass\\n'
    """
    cells = text.partition(HEADING)[2].split("\nIn [")
    if len(cells) < 2:
        raise ValueError(f"the notebook has no code cell under the heading {HEADING!r}")
    return cells[1].partition("]:\n")[2]


class Training(Peer):
    """Forward and backward, clip and Adam, as the notebook's `train` calls them."""

    def __init__(self, workload: Workload, weights: Weights, notebook: Path) -> None:
        np.row_stack = np.vstack  # noqa: NPY201  the name that the notebook knows, without its warning
        names: dict[str, Any] = {"np": np}
        exec(
            class_source(notebook.read_text(encoding="utf-8")), names
        )  # the user's own file, named on the command line
        size = {"vocab_size": workload.symbols, "n_h": workload.units, "seq_len": workload.steps}
        self.lstm = names["LSTM"]({}, {}, **size, lr=workload.lr)
        self._take_over(weights)
        self.h = self.c = np.zeros((workload.units, 1))
        self.batches = cycle([(ids[:, 0].tolist(), targets[:, 0].tolist()) for ids, targets in batches(workload)])
        self.steps = 0

    def _take_over(self, weights: Weights) -> None:
        split = {name: dict(zip("ifgo", np.split(weights[f"lstm_0/{name}"], 4, -1), strict=True)) for name in ARRAYS}
        for theirs, ours in GATES.items():
            self._set(f"W{theirs}", np.concatenate([split["Wh"][ours], split["Wx"][ours]]).T)
            self._set(f"b{theirs}", split["b"][ours][:, None])
        self._set("Wv", weights["logits/W"].T)
        self._set("bv", weights["logits/b"][:, None])

    def _set(self, name: str, array: Array) -> None:
        self.lstm.params[name][...] = array

    def step(self) -> float:
        """One training step."""
        ids, targets = next(self.batches)
        loss, self.h, self.c = self.lstm.forward_backward(ids, targets, self.h, self.c)
        self.lstm.clip_grads()
        self.steps += 1
        self.lstm.update_params(self.steps)
        return float(loss)


def peer(workload: Workload, weights: Weights, notebook: str) -> Peer:
    """What does this work, from the text of a notebook."""
    return Training(workload, weights, Path(notebook))
