"""Quantile: the loss of predicting how high a number will be with some probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Len, Lt

from minidl.graph.arrays import Array, Shape
from minidl.layers.loss import ElementLoss


@dataclass(frozen=True)
class Quantile(ElementLoss):
    """Pinball loss of Q quantiles of each of K numbers.

        e = t - x,   l = τ e where e ≥ 0, else (τ - 1) e,   dl/dx = -τ where e > 0, else 1 - τ

    x (..., K Q): for each number its quantiles side by side; targets t (..., K); y () or, not reduced, (..., K Q).
    quantiles: the probabilities τ. The mean of the loss is least where x is the τ-quantile of what is predicted.

    >>> from minidl import Model
    >>> x, t = np.zeros((1, 1, 2)), np.array([[[10.0]]])
    >>> Model.of(Quantile("none", quantiles=(0.1, 0.9)), x, t).arrays["quantile/y"].tolist()
    [[[1.0, 9.0]]]

    Koenker and Bassett 1978, equation 3.1.
    """

    quantiles: Annotated[tuple[Annotated[float, Gt(0), Lt(1)], ...], Len(1)] = (0.1, 0.5, 0.9)

    def shape_of_targets(self, x: Shape) -> Shape:
        """A number for each group of quantiles."""
        count = len(self.quantiles)
        if x[-1] % count:
            raise ValueError(f"predictions are {count} quantiles of each number, but there are {x[-1]} features")
        return (*x[:-1], x[-1] // count)

    def losses(self, x: Array, targets: Array, out: Array) -> None:
        """max(τ e, (τ - 1) e)."""
        e, tau = self._errors(x, targets, out)
        np.multiply(e, np.where(e.real >= 0, tau, tau - 1), out=e)

    def slopes(self, x: Array, targets: Array, out: Array) -> None:
        """-τ where the target is above, else 1 - τ."""
        e, tau = self._errors(x, targets, out)
        np.copyto(e, np.where(e.real >= 0, -tau, 1 - tau))

    def target_gradient(self, x: Array, targets: Array, share: Array, dy: Array, out: Array) -> None:
        """Minus the sum over the quantiles of each number."""
        dx = np.empty_like(x)
        self.gradient(x, targets, share, dy, out=dx)
        np.sum(self._grouped(dx), axis=-1, out=out)
        np.negative(out, out=out)

    def _errors(self, x: Array, targets: Array, out: Array) -> tuple[Array, Array]:
        """t - x (..., K, Q), in `out`, and the probabilities (Q,)."""
        e = self._grouped(out)
        np.subtract(targets[..., None], self._grouped(x), out=e)
        return e, np.array(self.quantiles, out.real.dtype)

    def _grouped(self, x: Array) -> Array:
        view = x.view()
        view.shape = (*x.shape[:-1], math.ceil(x.shape[-1] / len(self.quantiles)), len(self.quantiles))
        return view
