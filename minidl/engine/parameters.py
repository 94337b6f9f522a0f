"""All trained arrays of a graph, laid out in one flat vector.

The optimizer, clipping, checkpoints and NaN checks are then operations on a single array, and each layer's `W` or
`b` is a view into it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import accumulate
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from minidl.engine.buffers import zeros
from minidl.engine.memory_limit import fitting
from minidl.graph.arrays import Param
from minidl.graph.initializers import find
from minidl.graph.operations import as_dtype, is_masked
from minidl.system.blame import blame
from minidl.system.errors import CheckpointError, UnknownName, UsageError, suggest

Array = NDArray[Any]
FLOATS = ("float32", "float64")


class NamedArrays(Mapping[str, Array]):
    """Live arrays by name; a wrong name is answered with the nearest right one."""

    def __init__(self, arrays: Mapping[str, Array], kind: str) -> None:
        self._arrays, self._kind = arrays, kind

    def __getitem__(self, name: str) -> Array:
        if not isinstance(name, str) or name not in self._arrays:
            known = ", ".join(self._arrays) or "none yet: call forward first"
            raise UnknownName(
                f"there is no {self._kind} {name!r}{suggest(str(name), self._arrays)} (there are: {known})"
            )
        return self._arrays[name].view()  # whose shape anybody may change, which is no other shape of the parameter

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        """Copy into the array; `parameters["lstm/Wx"] += 1` ends here too, having changed it already."""
        array = self[name]
        try:
            given = np.asarray(value)
        except ValueError:
            raise UsageError(f"{self._kind} {name!r} has shape {array.shape}, got a ragged list") from None
        if is_masked(value):
            raise UsageError(f"{self._kind} {name!r} takes every number: fill the masked array first")
        if given.shape != array.shape and given.ndim:
            raise UsageError(f"{self._kind} {name!r} has shape {array.shape}, and keeps it; got {given.shape}")
        if given.dtype.kind not in "fiub":
            raise UsageError(f"{self._kind} {name!r} takes real numbers, got {given.dtype}")
        array[...] = given

    def __delitem__(self, name: str) -> None:
        raise UsageError(f"a {self._kind} is part of the model and cannot be deleted: build a model without it")

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name}: {array.shape}' for name, array in self._arrays.items())}}}"


class Part(NamedTuple):
    """Where a parameter lies in the vector of weights."""

    name: str
    start: int
    stop: int
    shape: tuple[int, ...]


class Parameters:
    """The weights: a flat vector, and views into it by "node/array".

    First weights are drawn when they are asked for the first time, so that a model can be described and measured that
    is never trained. version counts the updates, so that gradients of older weights can be told from current ones.
    """

    def __init__(self, declared: Mapping[str, Param], dtype: DTypeLike) -> None:
        self.declared = dict(declared)
        self.version = 0
        self._seed: int | None = None
        sizes = {name: math.prod(param.shape) for name, param in declared.items()}
        each = np.dtype(dtype).itemsize
        with_gradients = 2 * each * sum(sizes.values())
        with fitting(with_gradients, ((name, declared[name].shape, each * size) for name, size in sizes.items())):
            self._flat: Array = zeros(sum(sizes.values()), dtype)
        self.undrawn = self.views(self._flat)

    @classmethod
    def over(cls, declared: Mapping[str, Param], flat: Array) -> Parameters:
        """Parameters whose numbers lie in a vector that somebody else owns."""
        other = cls.__new__(cls)
        other.declared, other.version, other._seed, other._flat = dict(declared), 0, None, flat
        other.undrawn = other.views(flat)
        return other

    @property
    def flat(self) -> Array:
        """All weights in one vector."""
        self.draw()
        return self._flat

    @property
    def arrays(self) -> dict[str, Array]:
        """The weights by "node/array"."""
        self.draw()
        return self.undrawn

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the weights, and everything computed with them."""
        return self._flat.dtype

    @property
    def size(self) -> int:
        """How many numbers are trained."""
        return self._flat.size

    @property
    def nbytes(self) -> int:
        """What the weights take."""
        return self._flat.nbytes

    def initialize(self, seed: int) -> None:
        """First weights, the same numbers for every dtype; they are drawn when they are asked for."""
        self._seed = seed

    def draw(self) -> None:
        """Draw first weights, if that has not been done."""
        if self._seed is None:
            return
        rng, self._seed = np.random.default_rng(self._seed), None
        for name, param in self.declared.items():
            self.undrawn[name][...] = first_values(name, param, rng)

    def views(self, vector: Array) -> dict[str, Array]:
        """The parts of a vector that is laid out as the weights are: gradients, moments of an optimizer."""
        return {part.name: vector[part.start : part.stop].reshape(part.shape) for part in self.parts}

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Where each parameter lies."""
        shapes = {name: param.shape for name, param in self.declared.items()}
        ends = list(accumulate(math.prod(shape) for shape in shapes.values()))
        starts = [0, *ends]
        places = zip(shapes.items(), starts, ends, strict=False)
        return tuple(Part(name, start, stop, shape) for (name, shape), start, stop in places)

    def load(self, given: Mapping[str, Array]) -> None:
        """Copy weights that `fitting_weights` has found to fit."""
        self._seed = None
        for name, array in self.undrawn.items():
            array[...] = given[name]
        self.version += 1

    def astype(self, dtype: DTypeLike) -> Parameters:
        """A copy in another precision."""
        other = Parameters(self.declared, dtype)
        other.flat[...] = self.flat
        return other


def first_values(name: str, param: Param, rng: np.random.Generator) -> Array:
    """What a weight starts from; UsageError where the initializer fails, or leaves some of it unfilled."""
    values = np.full(param.shape, np.nan)
    fill = find(param.init)
    label = param.init if isinstance(param.init, str) else getattr(fill, "__name__", repr(fill))
    what = f"the initializer {label} of {name} {param.shape}"
    try:
        fill(values, rng)
    except (Exception, SystemExit) as error:
        raise UsageError(blame(what, error)) from error
    if missing := int(np.isnan(values).sum()):
        code = getattr(fill, "__code__", None)
        where = f"\n  {code.co_filename}:{code.co_firstlineno}" if code else ""
        raise UsageError(
            f"{what} leaves {missing} of {values.size} numbers unfilled, or NaN: "
            f"write them in place, out[...] = ...; what it returns is not read{where}"
        )
    return values


def fitting_weights(arrays: Mapping[str, Array], declared: Mapping[str, Param], source: str) -> dict[str, Array]:
    """Of the arrays of a file those named "parameters/node/array"; CheckpointError where they do not fit."""
    given = _weights_of(arrays)
    problems = misfits({name: array.shape for name, array in arrays.items()}, declared)
    problems += [f"{name}: holds NaN or infinity" for name, array in given.items() if not np.isfinite(array).all()]
    if problems:
        raise CheckpointError(f"{source} does not fit this model: {'; '.join(problems)}")
    return given


def misfits(shapes: Mapping[str, tuple[int, ...]], declared: Mapping[str, Param]) -> list[str]:
    """Which weights of a file are missing, unexpected, or of another shape."""
    given = _weights_of(shapes)
    problems = [f"missing {name} {declared[name].shape}" for name in declared if name not in given]
    problems += [f"unexpected {name} {shape}" for name, shape in given.items() if name not in declared]
    return problems + [
        f"{name}: shape {given[name]}, the model has {param.shape}"
        for name, param in declared.items()
        if given.get(name, param.shape) != param.shape
    ]


def _weights_of(named: Mapping[str, Any]) -> dict[str, Any]:
    prefix = "parameters/"
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}


def check_settings(seed: Any, dtype: DTypeLike) -> None:
    """UsageError where nothing could be drawn from this seed, or computed in this dtype."""
    if str(as_dtype(dtype)) not in FLOATS:
        raise UsageError(f"a model computes in {' or '.join(FLOATS)}, got dtype {dtype!r}")
    if not isinstance(seed, Integral) or seed < 0:
        raise UsageError(f"a seed is a whole number of 0 or more, got {seed!r}")
