"""Declarations as plain data, which JSON and YAML can hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def plain(value: Any) -> Any:
    """Lists, dicts and scalars in place of tuples and of whatever has a `config()`.

    >>> plain({"axes": (1, 2)})
    {'axes': [1, 2]}
    """
    if callable(getattr(value, "config", None)):
        return value.config()
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def walk(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """All that is in nested data, itself first, each with the keys and indices that lead to it.

    >>> list(walk({"a": [1]}))
    [((), {'a': [1]}), (('a',), [1]), (('a', 0), 1)]
    """
    yield path, tree
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, (list, tuple)) else ()
    for step, item in pairs:
        yield from walk(item, (*path, step))


class FrozenMapping(dict[str, Any]):
    """Settings by name that do not change, so that what holds them can be hashed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))
