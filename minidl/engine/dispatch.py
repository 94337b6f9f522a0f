"""Which code runs a layer, an optimizer and the like: its own method, on NumPy, or a compiled twin of it.

The equations of minidl are methods on NumPy. A room above this one may offer faster functions for some of them (see
`offer`); they are used for the classes of minidl itself (not for classes derived from them) in float32 and float64.
`MINIDL_KERNELS=numpy` in the environment decides otherwise, and so does `select`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from minidl.system.errors import UsageError, suggest
from minidl.system.signatures import asked_by

if TYPE_CHECKING:  # the package switches kernels on before NumPy is needed
    from numpy.typing import DTypeLike

Call = Callable[[], Any]  # of a layer whose arrays are in place
Twins = Mapping[tuple[type[Any], str], Callable[..., Any]]
NUMPY = "numpy"
COMPILED = ("float32", "float64")
VARIABLE = "MINIDL_KERNELS"


@dataclass(frozen=True)
class Offer:
    """Compiled functions: what they are called, why they cannot be used (None where they can), how they are loaded.

    level: which instructions of the processor they use, on which the last bits of numbers depend.
    """

    name: str
    missing: Callable[[], str | None]
    load: Callable[[], Twins]
    level: Callable[[], str]


_offers: dict[str, Offer] = {}
_selected: str | None = None


def offer(offered: Offer) -> None:
    """Use these functions from now on, unless a user decides otherwise."""
    _offers[offered.name] = offered


def kinds() -> tuple[str, ...]:
    """The kernels that may be asked for by name."""
    return (NUMPY, *_offers)


def usable() -> tuple[str, ...]:
    """The kernels that this machine has."""
    return (NUMPY, *(name for name, offered in _offers.items() if offered.missing() is None))


def select(name: str | None) -> None:
    """Use these kernels for what is bound from now on, or, for None, the fastest that the machine has.

    The environment variable MINIDL_KERNELS has the last word.

    >>> select("cuda")
    Traceback (most recent call last):
    minidl.system.errors.UsageError: there are no kernels 'cuda' (known: numpy, c)
    """
    global _selected
    if name is not None:
        _check(name, "")
    _selected = name


@contextmanager
def using(name: str | None) -> Iterator[None]:
    """Within this block, use these kernels."""
    global _selected
    before = _selected
    select(name)
    try:
        yield
    finally:
        _selected = before


def in_use() -> str:
    """The kernels that a layer bound now would get."""
    named = os.environ.get(VARIABLE)
    if named:
        _check(named, f"{VARIABLE}: ")
        return named
    return _selected or next((name for name, offered in _offers.items() if offered.missing() is None), NUMPY)


def simd() -> str:
    """The instructions of the processor that kernels use, such as avx2; those of NumPy are its own business."""
    name = in_use()
    return "" if name == NUMPY else _offers[name].level()


def missing() -> str | None:
    """Why kernels that could be had are not in use, for a user who did not choose; None where nothing is missing."""
    if os.environ.get(VARIABLE) or _selected:
        return None
    return next(filter(None, (offered.missing() for offered in _offers.values())), None)


def implementation(kind: type[Any], function: str, dtype: DTypeLike) -> Callable[..., Any]:
    """What computes a function of a kind of layer, optimizer and the like: its own method, or its compiled twin.

    The method computes; the twin of a layer's method is given its arrays once, and returns what each pass calls.
    """
    own: Callable[..., Any] = getattr(kind, function)
    name = in_use()
    if name == NUMPY or dtype not in COMPILED:
        return own
    return _twins(name).get((kind, function), own)


@lru_cache(maxsize=4096)
def arguments(function: Callable[..., Any], *, required: bool = False) -> tuple[str, ...]:
    """The names of the arrays that an implementation asks for, after the layer; `required`: cannot do without."""
    return tuple([item.name for item in asked_by(function) if not required or item.default is item.empty])


def _check(name: str, where: str) -> None:
    if name not in kinds():
        raise UsageError(f"{where}there are no kernels {name!r}{suggest(name, kinds())} (known: {', '.join(kinds())})")
    reason = _offers[name].missing() if name in _offers else None
    if reason is not None:
        raise UsageError(f"{where}{reason}")


@cache
def _twins(name: str) -> Twins:
    """The compiled functions by class and method, loaded when the first layer is bound."""
    return _offers[name].load()
