"""Muon: momentum whose singular values are made equal, for the matrices of hidden layers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated

import numpy as np
from annotated_types import Gt

from minidl.graph.arrays import Array
from minidl.optim.adam import Adam
from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Decay, Hyper, PositiveHyper, current

QUINTIC = (3.4445, -4.7750, 2.0315)  # moves every singular value in (0, 1] to about 1 within five rounds


@dataclass(frozen=True)
class Muon(Optimizer):
    """Momentum whose singular values are made about equal: U Vᵀ in the place of U S Vᵀ.

        u = μ u + g,   ū = g + μ u with nesterov, else u
        X = ū / ‖ū‖,   rounds times: A = X Xᵀ,  X = a X + (b A + c A²) X
        w = w - lr (√max(1, K / F) X + weight_decay w)        w (F, K)

    It is for matrices: biases, and an embedding's table, are moved by Adam with adam_lr. lr: of matrices. momentum: μ.
    nesterov: look ahead. rounds: of the iteration by Newton and Schulz. weight_decay: share of every weight lost at
    each step, times lr. adam_lr, adam_betas, adam_eps: for all that is no matrix, or named in adam. adam: patterns of
    names, as in groups.

    >>> w = np.eye(2); Muon(lr=0.1, weight_decay=0.0).update(w, np.diag([1.0, 0.5])); w.round(1)
    array([[0.9, 0. ],
           [0. , 0.9]])

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    """

    lr: Hyper = 0.02
    momentum: Decay = 0.95
    nesterov: bool = True
    rounds: Annotated[int, Gt(0)] = 5
    weight_decay: Hyper = 0.0
    adam_lr: Hyper = field(default=1e-3, kw_only=True)
    adam_betas: tuple[Decay, Decay] = field(default=(0.9, 0.999), kw_only=True)
    adam_eps: PositiveHyper = field(default=1e-8, kw_only=True)
    adam: tuple[str, ...] = field(default=("*/table",), kw_only=True)

    slots = ("m", "v")  # m: u, or Adam's m
    by_parameter = True

    def for_parameter(self, name: str, shape: tuple[int, ...]) -> Optimizer:
        """Adam for what is no matrix, and for what is named."""
        if len(shape) == 2 and not any(fnmatchcase(name, pattern) for pattern in self.adam):
            return self
        clips = {"clip_value": self.clip_value, "clip_norm": self.clip_norm, "l2": self.l2}
        return Adam(self.adam_lr, self.adam_betas, self.adam_eps, self.weight_decay, **clips)  # type: ignore[arg-type]

    def change(self, w: Array, g: Array, length: float, t: int, clock: Clock, **kept: Array) -> None:
        """Clip the gradient of one matrix, and follow the equations of the class."""
        self.clip(g, length, clock)
        if self.l2:
            g += current(self.l2, clock) * w
        u, momentum, lr = kept["m"], current(self.momentum, clock), current(self.lr, clock)
        u *= momentum
        u += g
        step = orthogonalised(g + momentum * u if self.nesterov else u, self.rounds)
        w *= 1 - lr * current(self.weight_decay, clock)
        w -= lr * math.sqrt(max(1.0, w.shape[1] / w.shape[0])) * step


def orthogonalised(matrix: Array, rounds: int = 5) -> Array:
    """A matrix with the same singular vectors, and singular values of about 1.

    >>> np.linalg.svd(orthogonalised(np.array([[3.0, 0.0], [0.0, 0.5]])))[1].round(0).tolist()
    [1.0, 1.0]
    """
    a, b, c = QUINTIC
    wide = matrix.shape[0] <= matrix.shape[1]
    X: Array = matrix if wide else matrix.T  # the smaller of both products
    X = X / (np.linalg.norm(X) + 1e-7)
    for _ in range(rounds):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X if wide else X.T
