"""Overrides from the command line, such as optimizer.lr=1e-3, in the syntax of the file and under its checks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from minidl.experiment.yaml.composer import DEPTH, TOO_DEEP
from minidl.experiment.yaml.extends import is_interval
from minidl.experiment.yaml.loader import Reading, read
from minidl.experiment.yaml.source_positions import Document, Mark, Mistake, TreePath, dotted, refuse

SOURCE = "command line"


def apply(document: Document, changes: Sequence[str]) -> None:
    """Change a document in place, one `key.sub=value` after the other; ExperimentError reports all that cannot be done.

    A new key is made where there is none; of an interval it replaces the one that there is. Marks of new values have
    the source "command line", the number of the change as their line, and the change itself as their text.

    >>> from minidl.experiment.yaml.document import parse
    >>> document = parse("model: {layers: [{type: LSTM, units: 128}]}", "demo.yaml")
    >>> apply(document, ["model.layers.0.units=256", "optimizer={type: SGD, lr: 1e-1}"])
    >>> document.tree
    {'model': {'layers': [{'type': 'LSTM', 'units': 256}]}, 'optimizer': {'type': 'SGD', 'lr': 0.1}}
    """
    mistakes: list[Mistake] = []
    for number, change in enumerate(changes, start=1):
        try:
            _apply_one(document, change, number)
        except Refused as refused:
            mistakes += refused.args
    if mistakes:
        refuse(*mistakes)


class Refused(Exception):
    """Why one of several changes cannot be made, so that those of all can be told together: Refused(*mistakes)."""


def _apply_one(document: Document, change: str, number: int) -> None:
    def locate(offset: int) -> Mark:
        return Mark(SOURCE, number, offset + 1, change)

    key, equals, value = change.partition("=")
    names = [(found[0], locate(found.start())) for found in re.finditer(r"[^.\s][^.]*", key.rstrip())]
    if not equals:
        raise Refused(Mistake(locate(0), f"a change is written key=value, such as {_with_equals(change)}"))
    if not key.isprintable():
        raise Refused(Mistake(locate(0), f"{key!r} cannot be a name: it holds what is no character of a text"))
    if len(names) != key.count(".") + 1:
        raise Refused(Mistake(locate(0), "a name is missing before '=': a change is written section.key=value"))
    reading = read(" " * (len(key) + 1) + value, locate)  # blanks keep the columns
    if reading.mistakes:
        raise Refused(*reading.mistakes)
    if len(names) + max(map(len, reading.marks)) >= DEPTH:
        raise Refused(Mistake(locate(0), TOO_DEEP))
    _put(document, names, reading)


def _with_equals(change: str) -> str:
    parts = re.fullmatch(r"([\w.]+)\s*[:\s]\s*(\S.*)", change)
    if parts:
        return f"{parts[1]}={parts[2]}"
    return f"{change}=VALUE" if re.fullmatch(r"\w[\w.]*", change) else "optimizer.lr=1e-3"


def _put(document: Document, names: list[tuple[str, Mark]], reading: Reading) -> None:
    """Follow the names to the place of the value, making the mappings that are not there."""
    parent: Any = document.tree
    path: TreePath = ()
    for name, mark in names[:-1]:
        step = _step(parent, path, name, mark)
        path = (*path, step)
        child = parent[step] if isinstance(parent, list) else parent.get(step)
        if child is None:
            child = parent[step] = {}
            document.marks[path] = mark
        parent = child
    name, mark = names[-1]
    step = _step(parent, path, name, mark)
    if path and is_interval(path[-1]) and isinstance(parent, dict):  # steps take the place of epochs
        parent.clear()
        document.marks = {known: place for known, place in document.marks.items() if known[:-1] != path}
    path = (*path, step)
    parent[step] = reading.value
    kept = {known: place for known, place in document.marks.items() if known[: len(path)] != path}
    given = {(*path, *below): place for below, place in reading.marks.items()}
    document.marks = {**kept, **given, path: mark}


def _step(parent: Any, path: TreePath, name: str, mark: Mark) -> Any:
    """The key in a mapping, or the index in a list, that a name stands for."""
    if isinstance(parent, dict):
        return name
    where = dotted(path)
    if not isinstance(parent, list):
        message = f"{where} is {parent!r:.40}, not a mapping: to make it one, write {where}={{{name}: VALUE}}"
        raise Refused(Mistake(mark, message))
    if name not in map(str, range(len(parent))):
        allowed = f"indices are 0 to {len(parent) - 1}" if parent else "it has no items"
        raise Refused(Mistake(mark, f"{where} is a list of length {len(parent)}, {allowed}: got {name!r}"))
    return int(name)
