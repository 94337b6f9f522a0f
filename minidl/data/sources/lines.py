"""Plain text as a table of one column: a row a line."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Iterator

from minidl.data.sources.columns import PIECE, TextColumn
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError

COLUMN = "text"


def read_lines(text: Iterable[str], name: str, size: int = PIECE) -> Iterator[Rows]:
    r"""The lines of a text, in the column "text", so many at a time; blank ones do not count.

    >>> rows = Rows.joined(read_lines(["Ada\n", "\n", "Alan\n"], "names.txt"))
    >>> rows.columns, list(rows.lines)
    ({'text': ['Ada', 'Alan']}, [1, 3])
    """
    found = ((number, line.rstrip("\r\n")) for number, line in enumerate(text, 1) if line.strip())
    line = 0
    while piece := list(itertools.islice(found, size)):
        line = piece[-1][0]
        yield Rows(name, {COLUMN: TextColumn(cell for _, cell in piece)}, array("I", (n for n, _ in piece)), "")
    if not line:
        raise DataError(f"{name} has no line with a text")
