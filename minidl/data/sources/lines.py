"""Plain text as a table of one column: a row a line."""

from __future__ import annotations

import hashlib
from array import array

from minidl.data.sources.rows import Rows, TextColumn
from minidl.system.errors import DataError

COLUMN = "text"


def read_lines(text: str, name: str) -> Rows:
    r"""The lines of a text, in the column "text"; blank ones do not count.

    >>> rows = read_lines("Ada\n\nAlan\n", "names.txt")
    >>> rows.columns, list(rows.lines)
    ({'text': ['Ada', 'Alan']}, [1, 3])
    """
    cells, numbers = TextColumn(), array("q")
    found = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    cells.extend(line.rstrip("\r") for _, line in found)
    numbers.extend(number for number, _ in found)
    if not found:
        raise DataError(f"{name} has no line with a text")
    return Rows(name, {COLUMN: cells}, numbers, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
