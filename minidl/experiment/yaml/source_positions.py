"""Where a value stands, and mistakes shown there, so that a user sees the very line to mend."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from minidl.system.errors import ExperimentError

TreePath = tuple[str | int, ...]
Locator = Callable[[int], "Mark"]
LINE_BREAK = re.compile(r"\r\n|\r|\n")
TAB = "\t"
WIDTH = 100  # characters of an offending line that are shown
LONGEST_MESSAGE = 600  # characters; a name in it may be as long as the file


class Mark(NamedTuple):
    """A place in a file: line and column count from 1, text is the whole line.

    >>> print(Mark("run.yaml", 3, 5, "    unit: 128"))
    run.yaml:3:5
    """

    source: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"

    def excerpt(self) -> str:
        """The line with a caret below the column; of a long line the part around it."""
        start = max(0, min(self.column - 1 - WIDTH // 2, len(self.text) - WIDTH))
        shown = "".join(map(_visible, self.text[start : start + WIDTH]))
        before = shown[: self.column - 1 - start]
        return f"{shown}\n{''.join(TAB if c == TAB else ' ' for c in before)}^"


def _visible(character: str) -> str:
    """Control characters would reach the terminal; a tab stays, for the caret to stand right."""
    return character if character.isprintable() or character == TAB else "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Mistake:
    """What is wrong at a place, what was expected, and the nearest right name."""

    mark: Mark | None
    message: str


@dataclass
class Document:
    """What a file says, as plain data, and where it says it.

    tree: mappings, lists, text, numbers, booleans and None. marks: for each path into the tree the position of the
    key, or of the item of a list; the path () is the start. source: the name of the file.
    """

    tree: dict[str, Any]
    marks: dict[TreePath, Mark]
    source: str

    def mark(self, path: TreePath) -> Mark:
        """The mark of a value, or of the nearest value around it that is in the file."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path]


def report(mistakes: Iterable[Mistake]) -> str:
    """All mistakes in the order of the file, each with its position, its line and a caret.

    >>> print(report([Mistake(Mark("run.yaml", 3, 5, "    unit: 128"), "unknown name 'unit'")]))
    run.yaml:3:5: unknown name 'unit'
        unit: 128
        ^
    """
    ordered = sorted(dict.fromkeys(mistakes), key=lambda each: each.mark[:3] if each.mark else ("", 0, 0))
    return "\n".join(map(_shown, ordered))


def _shown(mistake: Mistake) -> str:
    mark, message = mistake.mark, mistake.message
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]} ..."
    if mark is None:
        return message
    return f"{mark}: {message}\n{mark.excerpt()}" if mark.text.strip() else f"{mark}: {message}"


def refuse(*mistakes: Mistake) -> NoReturn:
    """Raise the ExperimentError that reports these mistakes."""
    raise ExperimentError(report(mistakes))


def locator(text: str, source: str) -> Locator:
    """The function from an offset in a text to its mark.

    >>> locator("a: 1\\nb: 2\\n", "run.yaml")(8)
    Mark(source='run.yaml', line=2, column=4, text='b: 2')
    """
    starts = [0, *(found.end() for found in LINE_BREAK.finditer(text))]
    lines = LINE_BREAK.split(text)

    def locate(offset: int) -> Mark:
        line = bisect_right(starts, offset)
        return Mark(source, line, offset - starts[line - 1] + 1, lines[line - 1])

    return locate


def dotted(path: TreePath) -> str:
    """A path as it is written in references and overrides.

    >>> dotted(("model", "layers", 1, "units"))
    'model.layers.1.units'
    """
    return ".".join(map(str, path))
