"""CTC: the loss of a sequence of symbols whose places in a longer sequence are not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from minidl.graph.arrays import LENGTHS, Array, Cache, Declaration, Ids, InputSpec, Out, Shape
from minidl.graph.sums import total_loss
from minidl.layers.sequence_loss import SequenceLoss, log_sum_exp
from minidl.system.errors import DataError

IMPOSSIBLE = -1e30  # log of a probability of 0, which arithmetic leaves finite


@dataclass(frozen=True)
class CTC(SequenceLoss):
    """Connectionist temporal classification: negative log likelihood of symbols under all their alignments, in nats.

        p = softmax(v),   z = blank, y₁, blank, y₂, …, blank,   l = -log Σ Πₜ p[t, zᵢ₍ₜ₎] over all paths i through z

        α[t, i] = p[t, zᵢ] (α[t-1, i] + α[t-1, i-1] + α[t-1, i-2]),   the last only where zᵢ is no blank and not zᵢ₋₂
        β[t, i] = β[t+1, i] p[t+1, zᵢ] + β[t+1, i+1] p[t+1, zᵢ₊₁] + β[t+1, i+2] p[t+1, zᵢ₊₂],   likewise

        dv[t, k] = p[t, k] - Σ α[t, i] β[t, i] / e⁻ˡ  over the i with zᵢ = k

    logits v (T, B, V), targets (U, B) with -1 past the end of each, as of Input("targets", dtype="int", depth=V,
    shape=("U", "B")); y () or, not reduced, (B,). The mean is over all symbols of the targets. blank: the class that
    stands for no symbol. lengths (B,), weights (B,), inputs that may be left out: the steps of v, and what each
    sequence counts.

    Raises DataError where a target is the blank, or where a sequence has too few steps for its symbols.

    >>> from minidl import Input, Model
    >>> v, t = Input("v", depth=2), Input("t", dtype="int", depth=2, shape=("U", "B"))
    >>> model = Model(CTC()(v, t))
    >>> round(model.forward(v=np.zeros((2, 1, 2)), t=[[1]])["loss"], 4)  # 3 of 4 paths: _1, 1_, 11
    0.2877

    Graves et al. 2006, section 4.
    """

    blank: Annotated[int, Ge(0)] = 0

    inputs: ClassVar = {
        "logits": InputSpec("T B V"),
        "targets": InputSpec("U B", dtype="int", lowest=-1),
        "lengths": LENGTHS,
        "weights": InputSpec("B", optional=True),
    }

    def arrays(
        self, logits: Shape, targets: Ids, lengths: Shape | None = None, weights: Shape | None = None
    ) -> dict[str, Declaration]:
        (T, B, V), U = logits, targets[0]
        if max(targets.depth, self.blank + 1) > V:
            raise ValueError(f"targets and the blank {self.blank} are symbols below the {V} of the logits")
        path = Cache((T, B, 2 * U + 1))
        y = Out((B,) if self.reduction == "none" else ())
        return {"log_p": Cache(logits), "alpha": path, "each": Cache((B,)), "y": y}

    def forward(
        self,
        logits: Array,
        targets: Array,
        lengths: Array | None,
        weights: Array | None,
        log_p: Array,
        alpha: Array,
        each: Array,
        y: Array,
    ) -> None:
        self._check(targets, _steps(logits, lengths))
        z, skips = self._path(targets)
        np.subtract(logits, logits.real.max(axis=-1, keepdims=True), out=log_p)
        log_p -= np.log(np.exp(log_p).sum(axis=-1, keepdims=True))
        alpha[0] = IMPOSSIBLE
        alpha[0, :, :2] = _of(log_p[0], z)[:, :2]
        for t in range(1, len(logits)):
            here = alpha[t - 1]
            came = np.stack([here, _shifted(here, 1), np.where(skips, _shifted(here, 2), IMPOSSIBLE)])
            alpha[t] = log_sum_exp(came, axis=0) + _of(log_p[t], z)
        b, last = np.arange(z.shape[0]), _steps(logits, lengths) - 1
        ends, final = 2 * (targets >= 0).sum(axis=0), alpha[last, b]
        on_symbol = np.where(ends > 0, final[b, np.maximum(ends - 1, 0)], IMPOSSIBLE)
        np.negative(log_sum_exp(np.stack([final[b, ends], on_symbol]), axis=0), out=each)
        share = self.shares(targets, weights)
        y[...] = each * share if self.reduction == "none" else total_loss(each * share)

    def backward(
        self,
        logits: Array,
        targets: Array,
        lengths: Array | None,
        weights: Array | None,
        log_p: Array,
        alpha: Array,
        each: Array,
        y: Array,
        dy: Array,
        dlogits: Array | None,
        dweights: Array | None,
    ) -> None:
        if dlogits is not None:
            self._logit_gradient(targets, _steps(logits, lengths), log_p, alpha, each, dlogits)
            dlogits *= (dy * self.shares(targets, weights))[:, None]
        if weights is not None and dweights is not None:
            self.weight_gradient(targets, weights, each, y, dy, out=dweights)

    def _logit_gradient(self, targets: Array, steps: Array, log_p: Array, alpha: Array, each: Array, dv: Array) -> None:
        """p[t, k] - Σ α β / e⁻ˡ over the places of k, step by step from the last; 0 past the end."""
        z, skips = self._path(targets)
        b, ends = np.arange(len(z)), 2 * (targets >= 0).sum(axis=0)
        start = np.full(z.shape, IMPOSSIBLE)
        start[b, ends] = start[b, np.maximum(ends - 1, 0)] = 0
        beta, skips_on = start, np.pad(skips[:, 2:], ((0, 0), (0, 2)))
        for t in range(len(dv) - 1, -1, -1):
            if t + 1 < len(dv):
                there = beta + _of(log_p[t + 1], z)
                went = [there, _shifted(there, -1), np.where(skips_on, _shifted(there, -2), IMPOSSIBLE)]
                beta = np.where((t + 1 < steps)[:, None], log_sum_exp(np.stack(went), axis=0), start)
            inside = t < steps
            dv[t] = 0
            dv[t, inside] = np.exp(log_p[t, inside])
            share = np.exp(alpha[t, inside] + beta[inside] + each[inside, None])
            np.subtract.at(dv[t], (np.flatnonzero(inside)[:, None], z[inside]), share)

    def _path(self, targets: Array) -> tuple[Array, Array]:
        """z (B, 2U + 1), and where a path may come from two places before."""
        z = np.full((targets.shape[1], 2 * len(targets) + 1), self.blank)
        z[:, 1::2] = np.where(targets.T >= 0, targets.T, self.blank)
        skips = np.zeros(z.shape, bool)
        skips[:, 2:] = (z[:, 2:] != self.blank) & (z[:, 2:] != z[:, :-2])
        return z, skips

    def _check(self, targets: Array, steps: Array) -> None:
        if (targets == self.blank).any():
            raise DataError(
                f"CTC: a target is {self.blank}, which is the blank: number the symbols from 1, or set blank"
            )
        repeated = ((targets[1:] == targets[:-1]) & (targets[1:] >= 0)).sum(axis=0)
        needed = (targets >= 0).sum(axis=0) + repeated
        short = np.flatnonzero(steps < needed)
        if short.size:
            i = short[0]
            raise DataError(
                f"CTC: sequence {i} has {steps[i]} steps, and its symbols need {needed[i]}, one each and a blank "
                "between equal ones: leave it out, or make fewer steps into one"
            )


def _steps(logits: Array, lengths: Array | None) -> Array:
    return np.full(logits.shape[1], len(logits)) if lengths is None else lengths


def _of(log_p: Array, z: Array) -> Array:
    """log p of each place of the paths, (B, V) -> (B, 2U + 1)."""
    return np.take_along_axis(log_p, z, axis=1)


def _shifted(x: Array, by: int) -> Array:
    """The places of the paths moved by so many, with nothing in those that become free."""
    out = np.full_like(x, IMPOSSIBLE)
    if by > 0:
        out[:, by:] = x[:, :-by]
    else:
        out[:, :by] = x[:, -by:]
    return out
