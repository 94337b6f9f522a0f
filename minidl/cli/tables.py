"""Tables as commands print them: columns as wide as they need to be, states in colours on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from minidl.cli.colours import STATE, show
from minidl.system.terminal import escape_line


def show_table(table: Sequence[Sequence[str]]) -> None:
    """Print rows of cells, the first of which is the head."""
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    show("\n".join(lines), {r"\A.*": "bold", **STATE})


def cell(value: object) -> str:
    """A value as a table shows it.

    >>> cell(None), cell(0.123456789), cell(3)
    ('', '0.12346', '3')
    """
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else escape_line(str(value))
