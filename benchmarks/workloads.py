"""The workloads: sizes of the small recurrent models on which libraries are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Workload:
    """A model and how it is used.

    about: for a reader. batch: B streams. steps: T of a window. units: H of each LSTM. symbols: V. layers: LSTMs on
    top of each other. embedding: width of the embedding of a symbol; one-hot where None. reduction: of the loss over
    the T·B tokens. lr, clip_value: of Adam. use: train; or compute logits alone; or draw symbol after symbol.

    >>> WORKLOADS["W3"].tokens
    1600
    """

    name: str
    about: str
    batch: int
    steps: int
    units: int
    symbols: int
    layers: int = 1
    embedding: int | None = None
    reduction: str = "mean"
    lr: float = 1e-3
    clip_value: float = 5.0
    use: Literal["training", "inference", "sampling"] = "training"

    @property
    def tokens(self) -> int:
        """T·B, the symbols that one step goes through."""
        return self.steps * self.batch


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", "one stream", 1, 25, 100, 77, reduction="sum", lr=5e-4),
        Workload("W2", "two layers of 128", 50, 50, 128, 65, layers=2),
        Workload("W3", "128 units", 32, 50, 128, 77),
        Workload("W4", "256 units", 64, 64, 256, 77),
        Workload("W5", "512 units", 64, 100, 512, 77),
        Workload("W6", "sampling, 128 units", 1, 1, 128, 77, use="sampling"),
        Workload("W7", "10000 words", 20, 35, 100, 10000, embedding=100),
        Workload("W8", "inference, 256 units", 32, 50, 256, 77, use="inference"),
        Workload("W9", "inference, one step", 1, 1, 256, 77, use="inference"),
    )
}
