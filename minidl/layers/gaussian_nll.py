"""GaussianNLL: the loss of predicting numbers together with how sure one is of each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Array, Shape
from minidl.layers.loss import ElementLoss

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class GaussianNLL(ElementLoss):
    """Negative log likelihood under a normal distribution, in nats.

        l = ½ (log 2π + s + (t - μ)² e⁻ˢ),   dl/dμ = (μ - t) e⁻ˢ,   dl/ds = ½ (1 - (t - μ)² e⁻ˢ)

    x (..., 2K): K means μ, then K logarithms s = log σ² of variances; targets t (..., K); y () or, not reduced,
    (..., K).

    >>> from minidl import Model
    >>> x, t = np.zeros((1, 1, 2)), np.ones((1, 1, 1))
    >>> float(Model.of(GaussianNLL(), x, t).arrays["gaussian_nll/y"].round(4))
    1.4189

    Nix and Weigend 1994, equation 3.
    """

    def shape_of_losses(self, x: Shape) -> Shape:
        """One for each mean and its variance."""
        if x[-1] % 2:
            raise ValueError(f"predictions are means and as many log variances, but there are {x[-1]} features")
        return (*x[:-1], x[-1] // 2)

    def losses(self, x: Array, targets: Array, out: Array) -> None:
        """½ (log 2π + s + (t - μ)² e⁻ˢ)."""
        mean, s = halves(x)
        np.subtract(targets, mean, out=out)
        out *= out
        out *= np.exp(-s)
        out += s
        out *= 0.5
        out += HALF_LOG_2PI

    def gradient(self, x: Array, targets: Array, share: Array, dy: Array, out: Array) -> None:
        """dx: of the means, then of the log variances."""
        self.slopes(x, targets, out=out)
        for part in halves(out):
            part *= share
            part *= dy

    def slopes(self, x: Array, targets: Array, out: Array) -> None:
        """Slopes of the means, then of the log variances."""
        (mean, s), (dmean, ds) = halves(x), halves(out)
        np.subtract(mean, targets, out=dmean)
        np.exp(-s, out=ds)
        dmean *= ds  # (μ - t) e⁻ˢ
        np.multiply(dmean, mean - targets, out=ds)
        np.subtract(1, ds, out=ds)
        ds *= 0.5

    def target_slopes(self, x: Array, targets: Array, out: Array) -> None:
        """(t - μ) e⁻ˢ."""
        mean, s = halves(x)
        np.subtract(targets, mean, out=out)
        out *= np.exp(-s)


def halves(x: Array) -> tuple[Array, Array]:
    """The means and the log variances that stand side by side."""
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]
