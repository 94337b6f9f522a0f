"""What `extends:` does: the values of a file laid over those of the file that it extends."""

from __future__ import annotations

from typing import Any

from minidl.config.plain import walk
from minidl.experiment.yaml.source_positions import Document


def merge(base: Document, over: Document) -> Document:
    """A new document: mappings merge key by key, all else of `over` replaces that of `base`.

    A mapping with another `type` replaces the base's whole, for its keys mean other things, and so does an interval,
    which has one key. Marks stay with the values.
    """
    tree = _merged(base.tree, over.tree)
    marks = {path: over.marks.get(path) or base.marks[path] for path, _ in walk(tree)}
    return Document(tree, marks, over.source)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {
        key: _merged(base[key], value) if _alike(base.get(key), value) and not is_interval(key) else value
        for key, value in over.items()
    }
    return {**base, **merged}


def is_interval(key: object) -> bool:
    """Whether a name is that of an interval, of which {steps: N}, {epochs: N} and {minutes: N} exclude one another.

    >>> is_interval("evaluate_every"), is_interval("every"), is_interval("train")
    (True, True, False)
    """
    return str(key).endswith("every")


def _alike(base: Any, over: Any) -> bool:
    if not isinstance(base, dict) or not isinstance(over, dict) or ("layers" in over and "layers" not in base):
        return False  # a list of layers takes the place of a model file
    return "type" not in over or bool(over["type"] == base.get("type"))
