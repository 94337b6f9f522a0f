"""YAML text to plain values and their marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from minidl.experiment.yaml import scalars, syntax
from minidl.experiment.yaml.composer import compose
from minidl.experiment.yaml.source_positions import Locator, Mark, Mistake, TreePath


@dataclass
class Reading:
    """A value read from YAML with the marks of all that is in it, and the mistakes found on the way."""

    value: Any = None
    marks: dict[TreePath, Mark] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def read(text: str, locate: Locator) -> Reading:
    """Read one YAML document; a value that could not be read is None and has its mistake.

    >>> from minidl.experiment.yaml.source_positions import locator
    >>> read("{lr: 1e-3, betas: [0.9, 0.99]}", locator("", "")).value
    {'lr': 0.001, 'betas': [0.9, 0.99]}
    """
    reading = Reading(marks={(): locate(0)})
    tags: list[tuple[int, str]] = []
    try:
        node = compose(text, tags)
    except yaml.MarkedYAMLError as error:
        node, (offset, message) = None, syntax.explain(error, text)
        reading.mistakes.append(Mistake(locate(offset), message))
    except yaml.reader.ReaderError as error:
        node, code = None, ord(text[error.position])
        message = f'the character U+{code:04X} is not allowed: between double quotes it is written "\\u{code:04x}"'
        reading.mistakes.append(Mistake(locate(error.position), message))
    reading.mistakes += [Mistake(locate(offset), _no_tag(tag)) for offset, tag in tags]
    if node is not None:
        reading.marks[()] = locate(node.start_mark.index)
        reading.value = _Builder(reading, locate).build(node, ())
    return reading


def _no_tag(tag: str) -> str:
    shown = tag.replace(scalars.TAG, "!!")
    return f"tags are not allowed: leave out {shown!r:.60}, or quote a text that begins with '!'"


class _Builder:
    """Plain values from composed nodes."""

    def __init__(self, reading: Reading, locate: Locator) -> None:
        self.reading, self.locate = reading, locate

    def build(self, node: yaml.Node, path: TreePath) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _item(self, node: yaml.Node, path: TreePath) -> Any:
        self.reading.marks[path] = self._mark(node)
        return self.build(node, path)

    def _mapping(self, node: yaml.MappingNode, path: TreePath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key == "<<" and not key_node.style:  # between quotes it is a name as any other
                self._refuse(key_node, "'<<' is not YAML 1.2: use extends or ${...}")
            elif key in mapping:
                first = self.reading.marks[(*path, key)]
                self._refuse(key_node, f"the key {key!r} is given twice: first on line {first.line}")
            elif key is not None:
                self.reading.marks[(*path, key)] = self._mark(key_node)
                mapping[key] = self.build(value_node, (*path, key))
        return mapping

    def _key(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, "a key is a text, not a list or a mapping")
        elif node.tag != scalars.TEXT:
            self._refuse(node, f'a key is a text: put quotes around it, "{node.value:.40}"')
        else:
            key: str | None = self._scalar(node)
            return key
        return None

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return scalars.construct(node.tag, node.value)
        except ValueError as error:
            self._refuse(node, str(error))

    def _mark(self, node: yaml.Node) -> Mark:
        return self.locate(node.start_mark.index)

    def _refuse(self, node: yaml.Node, message: str) -> None:
        self.reading.mistakes.append(Mistake(self._mark(node), message))
