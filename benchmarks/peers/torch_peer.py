"""PyTorch: nn.LSTM for training and inference; LSTMCell or LSTM for sampling.

On oneDNN, and with the fused Adam: without the one, steps took up to four times as long; the other implementations
of Adam made them up to a third longer.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers.inference import Array
from benchmarks.peers.inference import Inference as AnyInference
from benchmarks.peers.peer import Peer
from benchmarks.start import Weights, batches
from benchmarks.workloads import Workload


class Net(nn.Module):
    """Rows of a table (of the unit matrix for one-hot input), LSTMs, a linear layer."""

    def __init__(self, workload: Workload, weights: Weights, batch_first: bool) -> None:
        super().__init__()
        one_hot = workload.embedding is None
        table = torch.eye(workload.symbols) if one_hot else torch.from_numpy(weights["embedding/table"])
        self.table = nn.Parameter(table, requires_grad=not one_hot)
        self.lstm = nn.LSTM(table.shape[1], workload.units, num_layers=workload.layers, batch_first=batch_first)
        self.logits = nn.Linear(workload.units, workload.symbols)
        for layer in range(workload.layers):
            copy_lstm(self.lstm, f"_l{layer}", weights, f"lstm_{layer}")
        copy_linear(self.logits, weights)

    def forward(self, ids: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits and the state after the window."""
        hidden, state = self.lstm(nn.functional.embedding(ids, self.table), state)
        return self.logits(hidden), state


@torch.no_grad()
def copy_lstm(module: nn.Module, suffix: str, weights: Weights, node: str) -> None:
    """Take over the weights of an LSTM; PyTorch's second bias stays at zero, so that their sum learns once."""
    getattr(module, f"weight_ih{suffix}").copy_(torch.from_numpy(weights[f"{node}/Wx"].T))
    getattr(module, f"weight_hh{suffix}").copy_(torch.from_numpy(weights[f"{node}/Wh"].T))
    getattr(module, f"bias_ih{suffix}").copy_(torch.from_numpy(weights[f"{node}/b"]))
    getattr(module, f"bias_hh{suffix}").zero_().requires_grad_(False)


@torch.no_grad()
def copy_linear(module: nn.Linear, weights: Weights) -> None:
    """Take over the weights of the output layer."""
    module.weight.copy_(torch.from_numpy(weights["logits/W"].T))
    module.bias.copy_(torch.from_numpy(weights["logits/b"]))


class Training(Peer):
    """Forward, backward, clip and Adam.

    layout: "time-major" or "batch-first".
    """

    def __init__(self, workload: Workload, weights: Weights, layout: str) -> None:
        batch_first = layout == "batch-first"
        self.net = Net(workload, weights, batch_first)
        self.trained = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(self.trained, lr=workload.lr, fused=True)
        self.loss = nn.CrossEntropyLoss(reduction=workload.reduction)
        self.clip_value = workload.clip_value
        zeros = torch.zeros(workload.layers, workload.batch, workload.units)
        self.state = (zeros, zeros)
        self.batches = cycle([tuple(self._tensor(ids, batch_first) for ids in pair) for pair in batches(workload)])

    def _tensor(self, ids: Any, batch_first: bool) -> Tensor:
        return torch.from_numpy(ids.T if batch_first else ids).contiguous()

    def step(self) -> float:
        """One training step."""
        ids, targets = next(self.batches)
        logits, (h, c) = self.net(ids, self.state)
        self.state = h.detach(), c.detach()
        loss: Tensor = self.loss(logits.flatten(0, 1), targets.flatten())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_value_(self.trained, self.clip_value)
        self.optimizer.step()
        return loss.item()


class Inference(AnyInference):
    """Logits of window after window.

    layout: "time-major" or "batch-first".
    """

    def __init__(self, workload: Workload, weights: Weights, layout: str) -> None:
        super().__init__(workload)
        self.batch_first = layout == "batch-first"
        self.net = Net(workload, weights, self.batch_first)
        zeros = torch.zeros(workload.layers, workload.batch, workload.units)
        self.state = (zeros, zeros)

    @torch.inference_mode()
    def logits(self, ids: Array) -> Array:
        """Of a window, from the state that the one before has left."""
        given = torch.from_numpy(ids.T if self.batch_first else ids)
        logits, self.state = self.net(given, self.state)
        found: Array = logits.numpy()
        return found.swapaxes(0, 1) if self.batch_first else found


class Sampling(Peer):
    """Symbol after symbol, each drawn from the softmax of the logits and fed back.

    module: "LSTMCell" or "LSTM".
    """

    def __init__(self, workload: Workload, weights: Weights, module: str) -> None:
        self.cell = nn.LSTMCell(workload.symbols, workload.units) if module == "LSTMCell" else None
        self.lstm = nn.LSTM(workload.symbols, workload.units)
        self.linear = nn.Linear(workload.units, workload.symbols)
        copy_lstm(self.lstm, "_l0", weights, "lstm_0")
        copy_linear(self.linear, weights)
        if self.cell is not None:
            copy_lstm(self.cell, "", weights, "lstm_0")
        self.eye = torch.eye(workload.symbols)
        shape = (1, workload.units) if self.cell is not None else (1, 1, workload.units)
        self.state = (torch.zeros(shape), torch.zeros(shape))
        self.given = cycle(batches(workload))
        self.id = 0

    def logits(self, symbol: int) -> Tensor:
        """(1, V), of the symbol that follows."""
        x = self.eye[symbol].view(1, -1)
        if self.cell is not None:
            self.state = self.cell(x, self.state)
            return self.linear(self.state[0])  # type: ignore[no-any-return]
        hidden, self.state = self.lstm(x[None], self.state)
        return self.linear(hidden[0])  # type: ignore[no-any-return]

    @torch.inference_mode()
    def step(self) -> int:
        """One symbol."""
        self.id = int(torch.multinomial(torch.softmax(self.logits(self.id), -1), 1).item())
        return self.id

    @torch.inference_mode()
    def losses(self, steps: int) -> list[float]:
        """Of given symbols instead of drawn ones."""
        given = [next(self.given) for _ in range(steps)]
        cross_entropy = nn.functional.cross_entropy
        return [cross_entropy(self.logits(int(x[0, 0])), torch.from_numpy(y[0])).item() for x, y in given]


def peer(workload: Workload, weights: Weights, setting: str) -> Peer:
    """What does this work."""
    kinds = {"training": Training, "inference": Inference, "sampling": Sampling}
    made: Peer = kinds[workload.use](workload, weights, setting)
    return made
