"""Steps of time, as recurrent layers go through them: forwards, backwards, and up to where sequences end."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any

import numpy as np

from minidl.graph.arrays import Array
from minidl.graph.operations import OneHotRows, affine_gradients, rows
from minidl.system.errors import suggest

BLOCK = 1 << 15  # numbers copied at a time, where the rows of ended sequences are left out


@cache
def asked_by(step: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what a method asks for."""
    return tuple(inspect.signature(step).parameters)[1:]


def check_asked(kind: type[Any], known: Mapping[str, Sequence[str]]) -> None:
    """The methods of a cell are there and ask for nothing that there is not; ValueError with what there is."""
    for function, names in known.items():
        if not hasattr(kind, function):
            raise ValueError(f"it has no method {function!r}; a cell needs step and step_back")
        for name in asked_by(getattr(kind, function)):
            if name not in names:
                raise ValueError(f"{function} asks for {name!r}{suggest(name, names)} (there are: {', '.join(names)})")


def each_step(names: Sequence[str], moving: Mapping[str, Array], still: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """For each step in turn what is asked for: the row of that step of arrays that move, and others as they are."""
    return zip(*(moving[name] if name in moving else repeat(still.get(name)) for name in names), strict=False)


def after_the_end(lengths: Array | None, steps: int) -> Array | None:
    """Which steps of which sequences (T, B) lie after the end; None where all sequences have all steps.

    >>> after_the_end(np.array([2, 1]), 2).tolist()
    [[False, False], [False, True]]
    """
    return None if lengths is None else np.arange(steps)[:, None] >= lengths


def input_gradients(x: Array | OneHotRows, da: Array, dW: Array, db: Array | None, ended: Array | None) -> None:
    """dW = xᵀ da,   db = Σ da,   of a da that is 0 where sequences have ended: x is not read there."""
    if ended is None or isinstance(x, OneHotRows):
        affine_gradients(x, da, dW, db)
        return
    dW[...] = 0
    length = max(1, BLOCK // x[0].size)
    for start in range(0, len(x), length):
        some = slice(start, start + length)
        dW += rows(np.where(ended[some, :, None], 0, x[some])).T @ rows(da[some])
    if db is not None:
        np.sum(rows(da), axis=0, out=db)
