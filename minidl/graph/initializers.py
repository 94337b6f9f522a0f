"""First weights. Each initializer fills an array in place from a generator; layers name them in their declarations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.system.errors import suggest

Array = NDArray[Any]
Initializer = Callable[[Array, np.random.Generator], None]


def zeros(out: Array, rng: np.random.Generator) -> None:
    """0: biases."""
    out[...] = 0


def ones(out: Array, rng: np.random.Generator) -> None:
    """1: the gain of a normalisation."""
    out[...] = 1


def glorot(out: Array, rng: np.random.Generator) -> None:
    """Uniform in ±sqrt(6 / (fan_in + fan_out)).      Glorot and Bengio 2010, equation 16."""
    limit = np.sqrt(6 / sum(out.shape))
    out[...] = rng.uniform(-limit, limit, out.shape)


def glorot_steps(out: Array, rng: np.random.Generator) -> None:
    """Glorot for (width, F, K): each output is made of width · F inputs."""
    width, features, units = out.shape
    limit = np.sqrt(6 / (width * (features + units)))
    out[...] = rng.uniform(-limit, limit, out.shape)


def gated_glorot(gates: int) -> Initializer:
    """Glorot for each gate on its own: (F, gates·H) counts as `gates` matrices (F, H)."""

    def fill(out: Array, rng: np.random.Generator) -> None:
        units = out.shape[1] // gates
        for k in range(gates):
            glorot(out[:, k * units : (k + 1) * units], rng)

    return fill


def orthogonal(out: Array, rng: np.random.Generator) -> None:
    """A random orthogonal matrix for each square block of (H, k·H).      Saxe, McClelland, Ganguli 2014."""
    units = out.shape[0]
    for start in range(0, out.shape[1], units):
        q, r = np.linalg.qr(rng.standard_normal((units, units)))
        out[:, start : start + units] = q * np.sign(np.diag(r))


def forget_one(out: Array, rng: np.random.Generator) -> None:
    """1 for the forget gate of an LSTM bias i, f, g, o, else 0.      Jozefowicz et al. 2015, section 2.2."""
    units = out.size // 4
    out[...] = 0
    out[units : 2 * units] = 1


def normal(out: Array, rng: np.random.Generator) -> None:
    """Gaussian with standard deviation 1 / sqrt(width): rows of an embedding have length about 1."""
    out[...] = rng.standard_normal(out.shape) / np.sqrt(out.shape[-1])


INITIALIZERS: dict[str, Initializer] = {
    "zeros": zeros,
    "ones": ones,
    "glorot": glorot,
    "glorot_1": glorot,
    "glorot_steps": glorot_steps,
    "glorot_3": gated_glorot(3),
    "glorot_4": gated_glorot(4),
    "orthogonal": orthogonal,
    "forget_one": forget_one,
    "normal": normal,
}


def initialize(name: str, out: Array, rng: np.random.Generator) -> None:
    """Fill `out` by the initializer of that name."""
    if name not in INITIALIZERS:
        raise ValueError(f"there is no initializer {name!r}{suggest(name, INITIALIZERS)}")
    INITIALIZERS[name](out, rng)
