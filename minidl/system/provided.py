"""What a room above provides to one below it, by name, without being imported from there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_provided: dict[str, Callable[..., Any]] = {}


def provide(name: str, function: Callable[..., Any]) -> None:
    """Offer a function under this name."""
    _provided[name] = function


def provided(name: str) -> Callable[..., Any]:
    """The function that was offered under this name."""
    return _provided[name]
