"""Two descriptions of the same kind, side by side: what a user is shown where one of them has changed."""

from __future__ import annotations

from typing import Any

from minidl.config.plain import walk


def flat(tree: Any) -> dict[str, Any]:
    """Nested data as dotted names.

    >>> flat({"a": {"b": 1}, "c": [2, 3]})
    {'a.b': 1, 'c.0': 2, 'c.1': 3}
    """
    within = [(path, value) for path, value in walk(tree) if not isinstance(value, (dict, list, tuple))]
    return {".".join(map(str, path)): value for path, value in within}


def differences(before: Any, now: Any) -> dict[str, str]:
    """What has changed, by dotted name, as a phrase.

    >>> differences({"lr": 0.1, "units": 8}, {"lr": 0.2, "units": 8, "seed": 1})
    {'lr': '0.1 before, now 0.2', 'seed': 'not set before, now 1'}
    """
    old, new = flat(before), flat(now)
    return {
        name: f"{_shown(old, name)} before, now {_shown(new, name)}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    }


def _shown(values: dict[str, Any], name: str) -> str:
    text = repr(values[name]) if name in values else "not set"
    return text if len(text) <= 80 else f"{text[:77]}..."
