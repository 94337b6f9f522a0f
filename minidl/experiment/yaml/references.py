"""References: `${data.vocab_size}` stands for another value of the file, or for a fact of the data."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from minidl.config.plain import walk
from minidl.experiment.yaml.composer import DEPTH, NODES, TOO_DEEP, TOO_MANY, weight
from minidl.experiment.yaml.source_positions import Document, Mistake, TreePath, dotted, refuse
from minidl.system.errors import suggest

REFERENCE = re.compile(r"\$\{([^{}]*)\}")
TOKEN = re.compile(rf"\$\$\{{|{REFERENCE.pattern}|\$\{{")  # an escape, a reference, one that never ends
CHAIN = 60  # values that wait for one another
MOST = 20  # mistakes after which the rest of a file is not looked at


def resolve(document: Document, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with every `${name}` replaced by the fact of that name, or else by the value at that path of the file.

    A value that is one reference and nothing else becomes what it refers to, be it number, list or mapping; within a
    longer text a reference becomes text. `$${` stands for the characters `${`. Raises ExperimentError with all
    references that lead nowhere or in a circle.

    >>> from minidl.experiment.yaml.document import parse
    >>> document = parse("name: lstm_${units}\\nunits: 128\\nout: ${data.vocab_size}", "demo.yaml")
    >>> resolve(document, {"data.vocab_size": 77})
    {'name': 'lstm_128', 'units': 128, 'out': 77}
    """
    resolver = _Resolver(document, facts)
    tree: dict[str, Any] = resolver.value(document.tree, ())
    if resolver.mistakes:
        refuse(*resolver.mistakes)
    return tree


def references(document: Document) -> set[str]:
    """The names that a document refers to."""
    texts = [value for _, value in walk(document.tree) if isinstance(value, str)]
    return {found[1].strip() for text in texts for found in TOKEN.finditer(text) if found[1] is not None}


def escape(tree: Any) -> Any:
    """A tree that resolve() turns into this one: `${` is text in it, not the beginning of a reference.

    >>> escape({"prime": "cost: ${}"})
    {'prime': 'cost: $${}'}
    """
    if isinstance(tree, dict):
        return {key: escape(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [escape(item) for item in tree]
    return tree.replace("${", "$${") if isinstance(tree, str) else tree


class _Resolver:
    """Values by path, each resolved once, with those that are under way remembered to notice circles."""

    def __init__(self, document: Document, facts: Mapping[str, Any]) -> None:
        self.document, self.facts = document, facts
        self.mistakes: list[Mistake] = []
        self.broken: set[TreePath] = set()  # where the mistakes are
        self.resolved: dict[TreePath, Any] = {}
        self.under_way: list[TreePath] = []
        self.weight = 0  # of all that references stand for

    def value(self, raw: Any, path: TreePath) -> Any:
        """The value at a path of the file, given as the file has it."""
        if not isinstance(raw, (dict, list)) and not (isinstance(raw, str) and "${" in raw):
            return raw
        if path not in self.resolved:
            self.under_way.append(path)
            self.resolved[path] = self._resolve(raw, path)
            self.under_way.pop()
        return self.resolved[path]

    def _resolve(self, raw: Any, path: TreePath) -> Any:
        if isinstance(raw, dict):
            return {key: self.value(item, (*path, key)) for key, item in raw.items()}
        if isinstance(raw, list):
            return [self.value(item, (*path, i)) for i, item in enumerate(raw)]
        alone = REFERENCE.fullmatch(raw)
        return self._refer(alone, path) if alone else TOKEN.sub(lambda token: self._as_text(token, path), raw)

    def _as_text(self, token: re.Match[str], path: TreePath) -> str:
        if token[0] == "$${":
            return "${"
        if token[1] is None:
            self._mistake(path, "this '${' has no '}': a reference is ${section.key}; '$${' stands for '${' itself")
            return token[0]
        value = self._refer(token, path)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)

    def _refer(self, reference: re.Match[str], path: TreePath) -> Any:
        """What a reference stands for; itself after a mistake."""
        name = reference[1].strip()
        try:
            value = self._find(name, path)
        except LookupError as error:
            self._mistake(path, str(error.args[0]))
            return reference[0]
        within = list(walk(value))
        self.weight += sum(weight(item) if isinstance(item, str) else 1 for _, item in within)
        if self.weight > NODES:
            self._stop(path, TOO_MANY)
        if len(path) + max(len(place) for place, _ in within) >= DEPTH:
            self._stop(path, TOO_DEEP)
        return copy.deepcopy(value)

    def _find(self, name: str, path: TreePath) -> Any:
        if name in self.facts:
            return self.facts[name]
        raw, place, rest = _follow(self.document.tree, name.split("."))
        if rest and isinstance(raw, str):  # perhaps a reference to a mapping that has the rest
            raw, _, rest = _follow(self._wait_for(raw, place, path), rest)
            if not rest or place in self.broken:  # a broken one is reported where it stands
                return raw
        if rest:
            known = [*self.facts, *map(dotted, self.document.marks)]
            raise LookupError(f"${{{name}}} refers to nothing in this file or its data{suggest(name, known)}")
        return self._wait_for(raw, place, path)

    def _wait_for(self, raw: Any, place: TreePath, path: TreePath) -> Any:
        """The value at a place that the one at a path needs."""
        if place in self.under_way:
            circle = [*self.under_way[self.under_way.index(place) :], place]
            raise LookupError(f"references go in a circle: {' -> '.join(map(dotted, circle))}")
        if len(self.under_way) > CHAIN:
            self._stop(path, f"references lead to references more than {CHAIN} times")
        return self.value(raw, place)

    def _mistake(self, path: TreePath, message: str) -> None:
        self.broken.add(path)
        self.mistakes.append(Mistake(self.document.mark(path), message))
        if len(self.mistakes) == MOST:
            refuse(*self.mistakes)

    def _stop(self, path: TreePath, message: str) -> NoReturn:
        refuse(*self.mistakes, Mistake(self.document.mark(path), message))


def _follow(value: Any, names: list[str]) -> tuple[Any, TreePath, list[str]]:
    """Go down by keys and indices as far as they lead: the value there, its path, and the names left over."""
    path: TreePath = ()
    for i, name in enumerate(names):
        if isinstance(value, dict) and name in value:
            step: str | int = name
        elif isinstance(value, list) and name in map(str, range(len(value))):
            step = int(name)
        else:
            return value, path, names[i:]
        value, path = value[step], (*path, step)
    return value, path, []
