"""YAML text to PyYAML's nodes, with what no experiment needs refused before it costs time or memory.

libyaml reads where PyYAML was built with it, in a twentieth of the time. What it refuses is read again by PyYAML's own
reader, whose result and messages count; so is a text with what the two take differently: tabs, byte order marks, tags,
question marks, a comment right behind '|'.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.composer import Composer, ComposerError
from yaml.resolver import Resolver
from yaml.scanner import ScannerError

from minidl.experiment.yaml import scalars

NODES = 50_000  # values and keys of a file, aliases written out: 4,000 nodes with name and inputs, and some room
DEPTH = 50  # mappings and lists within one another
TOO_MANY = f"more than {NODES:,} values, with aliases and references written out"
TOO_DEEP = f"more than {DEPTH} levels of mappings and lists within one another"
TAKEN_DIFFERENTLY = re.compile(r"[\t\ufeff?]|(?<!\w)!|[|>][-+0-9]*#")


def weight(text: str) -> int:
    """For how many values a text counts, so that repeating a long one is limited too."""
    return 1 + len(text) // 1000


def compose(text: str, tags: list[tuple[int, str]]) -> yaml.Node | None:
    """The node of the one document in a text; PyYAML's errors where there is none. tags: is given those that it holds.

    >>> compose("a: !!int 1", tags := []).tag, tags
    ('tag:yaml.org,2002:map', [(3, 'tag:yaml.org,2002:int')])
    """
    if yaml.__with_libyaml__ and not TAKEN_DIFFERENTLY.search(text):
        try:
            quick = _Libyaml(text)
            node = quick.get_single_node()
            tags += quick.tags
            return node
        except _TooMuchError:
            raise
        except (yaml.YAMLError, ValueError, OverflowError):
            pass  # read again, for the words
    composer = _PyYAML(text)
    try:
        return composer.get_single_node()
    except (ValueError, OverflowError):  # chr() and int() on what stands in escapes and directives
        problem = "a number in this escape or directive is out of range"
        raise ScannerError(problem=problem, problem_mark=composer.get_mark()) from None
    finally:
        tags += composer.tags


class _TooMuchError(ComposerError):
    """A limit is passed, which no other reader has to find once more."""


class _Limited(Composer, Resolver):
    """A composer with scalars of YAML 1.2, without tags, and with a limit on what aliases expand to."""

    yaml_implicit_resolvers = scalars.resolvers()
    peek_event: Callable[[], Any]  # of the parser

    def __init__(self) -> None:
        Composer.__init__(self)
        Resolver.__init__(self)
        self.nodes = self.depth = self.deepest = 0
        self.extents: dict[str, tuple[int, int]] = {}  # nodes and levels of what is anchored
        self.tags: list[tuple[int, str]] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose what comes next, counting it."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._expand(event)
            return super().compose_node(parent, index)
        if event.tag is not None:
            self.tags.append((event.start_mark.index, event.tag))
            event.tag = None
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
            raise _TooMuchError(problem=problem, problem_mark=event.start_mark)


class _PyYAML(_Limited, yaml.SafeLoader):
    """What PyYAML reads itself."""

    def __init__(self, text: str) -> None:
        yaml.SafeLoader.__init__(self, text)
        _Limited.__init__(self)

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        """Take a bracket; the scanner runs ahead of the composer, and its cost grows with the square of the level."""
        if self.flow_level >= DEPTH:
            raise ScannerError(problem=TOO_DEEP, problem_mark=self.get_mark())
        super().fetch_flow_collection_start(TokenClass)


if yaml.__with_libyaml__:
    from yaml._yaml import CParser

    class _Libyaml(_Limited, CParser):
        """What libyaml reads."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Limited.__init__(self)
