"""What functions ask for, looked up once each: `inspect` takes as long as a small layer computes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=4096)
def asked_by(method: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """The parameters of a method, after the object itself.

    >>> [parameter.name for parameter in asked_by(str.join)]
    ['iterable']
    """
    return tuple(inspect.signature(method).parameters.values())[1:]


@lru_cache(maxsize=4096)
def first_of(method: Callable[..., Any]) -> str | None:
    """What a method calls the object itself; None where it takes nothing.

    >>> first_of(str.join)
    'self'
    """
    return next(iter(inspect.signature(method).parameters), None)
