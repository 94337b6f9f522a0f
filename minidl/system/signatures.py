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
