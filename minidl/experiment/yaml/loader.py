"""YAML text to plain values and their marks, with what no experiment needs refused before it costs time or memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.scanner import ScannerError

from minidl.experiment.yaml import scalars, syntax
from minidl.experiment.yaml.source_positions import Locator, Mark, Mistake, TreePath

NODES = 40_000  # values and keys of a file, aliases written out: 4,000 nodes with name and inputs
DEPTH = 50  # mappings and lists within one another
TOO_MANY = f"more than {NODES:,} values, with aliases and references written out"
TOO_DEEP = f"more than {DEPTH} levels of mappings and lists within one another"


@dataclass
class Reading:
    """A value read from YAML with the marks of all that is in it, and the mistakes found on the way."""

    value: Any = None
    marks: dict[TreePath, Mark] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def weight(text: str) -> int:
    """For how many values a text counts, so that repeating a long one is limited too."""
    return 1 + len(text) // 1000


def read(text: str, locate: Locator) -> Reading:
    """Read one YAML document; a value that could not be read is None and has its mistake.

    >>> from minidl.experiment.yaml.source_positions import locator
    >>> read("{lr: 1e-3, betas: [0.9, 0.99]}", locator("", "")).value
    {'lr': 0.001, 'betas': [0.9, 0.99]}
    """
    reading = Reading(marks={(): locate(0)})
    loader = None
    try:
        loader = _Loader(text, reading, locate)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        offset, message = syntax.explain(error, text)
    except yaml.reader.ReaderError as error:
        offset, code = error.position, ord(text[error.position])
        message = f'the character U+{code:04X} is not allowed: between double quotes it is written "\\u{code:04x}"'
    except (ValueError, OverflowError):  # chr() and int() on what stands in escapes and directives
        offset, message = loader.index if loader else 0, "a number in this escape or directive is out of range"
    else:
        if node is not None:
            reading.marks[()] = locate(node.start_mark.index)
            reading.value = _Builder(reading, locate).build(node, ())
        return reading
    reading.mistakes.append(Mistake(locate(offset), message))
    return reading


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with scalars of YAML 1.2, without tags, and with a limit on what aliases expand to."""

    yaml_implicit_resolvers = scalars.resolvers()

    def __init__(self, text: str, reading: Reading, locate: Locator) -> None:
        self.reading, self.locate = reading, locate
        self.nodes = self.depth = self.deepest = 0
        self.extents: dict[str, tuple[int, int]] = {}  # nodes and levels of what is anchored
        super().__init__(text)

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        """Take a bracket; the scanner runs ahead of the composer, and its cost grows with the square of the level."""
        if self.flow_level >= DEPTH:
            raise ScannerError(problem=TOO_DEEP, problem_mark=self.get_mark())
        super().fetch_flow_collection_start(TokenClass)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose what comes next, counting it."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self._expand(event)
            return super().compose_node(parent, index)
        self._refuse_tag(event)
        before, outer = self.nodes, self.deepest
        self._grow(weight(event.value) if isinstance(event, yaml.ScalarEvent) else 1, 1, event)
        self.deepest = self.depth = self.depth + 1
        node = super().compose_node(parent, index)
        if event.anchor is not None:
            self.extents[event.anchor] = (self.nodes - before, self.deepest - self.depth + 1)
        self.depth -= 1
        self.deepest = max(outer, self.deepest)
        return node

    def _expand(self, event: Any) -> None:
        if event.anchor in self.anchors and event.anchor not in self.extents:
            raise ComposerError(problem=f"{event.anchor!r} contains itself", problem_mark=event.start_mark)
        nodes, levels = self.extents.get(event.anchor, (0, 0))
        self._grow(nodes, levels, event)

    def _grow(self, nodes: int, levels: int, event: Any) -> None:
        self.nodes += nodes
        self.deepest = max(self.deepest, self.depth + levels)
        if self.nodes > NODES or self.deepest > DEPTH:
            problem = TOO_MANY if self.nodes > NODES else TOO_DEEP
            raise ComposerError(problem=problem, problem_mark=event.start_mark)

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is None:
            return
        tag = event.tag.replace(scalars.TAG, "!!")
        message = f"tags are not allowed: leave out {tag!r:.60}, or quote a text that begins with '!'"
        self.reading.mistakes.append(Mistake(self.locate(event.start_mark.index), message))
        event.tag = None


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
            if key == "<<" and key_node.style is None:  # between quotes it is a name as any other
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
