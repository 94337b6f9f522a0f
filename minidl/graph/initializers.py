"""First weights. An initializer fills an array in place from a generator; layers name one, or give a function."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from minidl.graph.arrays import Array, Declaration, Param
from minidl.system.errors import ConfigError, suggest

Initializer = Callable[[Array, np.random.Generator], None]
if TYPE_CHECKING:
    Init = str | Initializer
else:
    Init = str  # of a layer's field: a function has become its name when fields are checked


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
    """Random orthonormal columns, block by block of (H, k·H).      Saxe, McClelland, Ganguli 2014."""
    units, columns = out.shape
    for start in range(0, columns, units):
        width = min(units, columns - start)
        q, r = np.linalg.qr(rng.standard_normal((units, width)))
        out[:, start : start + width] = q * np.sign(np.diag(r))


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
    "glorot_steps": glorot_steps,
    "orthogonal": orthogonal,
    "forget_one": forget_one,
    "normal": normal,
}
AXES = {"orthogonal": 2, "glorot_steps": 3, "forget_one": 1}
GATES = {"forget_one": 4}  # of an LSTM; glorot_4 and the like say theirs
GATED = re.compile(r"glorot_([1-9]\d*)")


def initializer(function: Initializer) -> Initializer:
    """Register a function of one's own, so that layers and experiment files may name it.

    >>> @initializer
    ... def small(out, rng):
    ...     out[...] = 0.01 * rng.standard_normal(out.shape)
    >>> find("small") is small
    True
    """
    name = function.__name__
    known = INITIALIZERS.get(name)
    if GATED.fullmatch(name) or (known is not None and known.__module__.startswith("minidl.")):
        raise ConfigError(f"{name!r} is an initializer of minidl already: choose another name")
    INITIALIZERS[name] = function
    return function


def name_of(function: Initializer) -> str:
    """The name of a function given in the place of one; it is registered, as layers are known by names alone."""
    name = getattr(function, "__name__", "")
    if not name.isidentifier():
        raise ConfigError(f"init names functions: give {function!r} a name, with def and not with lambda")
    return name if INITIALIZERS.get(name) is function else initializer(function).__name__


def is_known(name: str) -> bool:
    """Whether an initializer of that name is there."""
    return name in INITIALIZERS or GATED.fullmatch(name) is not None


def find(named: str | Initializer) -> Initializer:
    """The initializer of that name, or the function itself; ValueError with the nearest name where there is none."""
    if callable(named):
        return _of_two_arguments(named)
    if not isinstance(named, str):
        raise ValueError(f"an initializer is a name, or a function of (out, rng) that fills out; got {named!r}")
    if match := GATED.fullmatch(named):
        return gated_glorot(int(match[1]))
    if named not in INITIALIZERS:
        known = f"{suggest(named, INITIALIZERS)} (known: {', '.join(INITIALIZERS)}, glorot_K for K gates)"
        raise ValueError(f"there is no initializer {named!r}{known}")
    return INITIALIZERS[named]


def _of_two_arguments(function: Initializer) -> Initializer:
    try:
        parameters = inspect.signature(function)
    except ValueError:  # of some functions in C nothing is known
        return function
    try:
        parameters.bind(None, None)
    except TypeError:
        label = getattr(function, "__name__", repr(function))
        takes = f"takes {parameters}; it is called with (out, rng): the array to fill, a random generator"
        raise ValueError(f"the initializer {label} {takes}") from None
    return function


def check_shape(named: str | Initializer, shape: tuple[int, ...]) -> None:
    """ValueError where an initializer of minidl cannot fill an array of this shape."""
    if not isinstance(named, str):
        return
    gated = GATED.fullmatch(named)
    axes = 2 if gated else AXES.get(named, len(shape))
    if len(shape) != axes:
        raise ValueError(f"{named} is for {axes} axes, and {shape} has {len(shape)}")
    gates = int(gated[1]) if gated else GATES.get(named, 1)
    if shape[-1:] and shape[-1] % gates:
        raise ValueError(f"{named} is for columns of {gates} gates, and {shape} has {shape[-1]} columns")


def initialized(declarations: dict[str, Declaration], inits: Mapping[str, str | Initializer]) -> dict[str, Declaration]:
    """The declarations with other first weights for the arrays that are named; all initializers exist."""
    trained = {name: item for name, item in declarations.items() if isinstance(item, Param)}
    for name in inits:
        if name not in trained:
            there_are = f"{suggest(name, trained)} (there are: {', '.join(trained) or 'none'})"
            raise ValueError(f"init names {name!r}, and there is no such weight{there_are}")
    for name, param in trained.items():
        try:
            find(inits.get(name, param.init))
            check_shape(inits.get(name, param.init), param.shape)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return declarations | {name: dataclasses.replace(trained[name], init=init) for name, init in inits.items()}
