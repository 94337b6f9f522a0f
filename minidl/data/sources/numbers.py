"""Cells that are numbers: with a decimal point or comma, and what is said of those that are none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Cells that say that there is nothing, as spreadsheets, R, pandas and SQL write it.
GAPS = frozenset(["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "?", "-"])
COMMA = re.compile(r"\s*[+-]?(\d+,\d*|\d*,\d+)([eE][+-]?\d+)?\s*")
POINT = re.compile(r"\s*[+-]?(\d+\.\d*|\d*\.\d+)([eE][+-]?\d+)?\s*")
WHOLE = re.compile(r"\s*[+-]?\d+\s*")
THOUSANDS = re.compile(  # 1,234.5  1.234,5  1 234.5
    r"\s*[+-]?[1-9]\d{0,2}((,\d{3})+(\.\d*)?|(\.\d{3})+,\d*|([ '\u00a0\u202f]\d{3})+([.,]\d*)?)\s*"
)


def parse_numbers(
    cells: Sequence[str], decimal: str | None, out: NDArray[Any], *, gaps: bool, others: Iterable[Iterable[str]] = ()
) -> NDArray[Any]:
    """Fill `out` with the numbers of the cells, and return the places of those that are none.

    decimal: "." or ","; where it is None a comma is one if all broken numbers are written with it. others: columns of
    the same table, which tell where these cells may be thousands as well.
    """
    if decimal is None:
        bad = _parse(cells, out, gaps=gaps)
        if not len(bad) or not _is_comma(cells, bad, others):
            return bad
    return _parse((cell.replace(",", ".") for cell in cells) if decimal != "." else cells, out, gaps=gaps)


def is_number(text: str | bytes) -> bool:
    """Whether Python reads it as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def has_commas(cells: Iterable[str]) -> bool:
    """Whether a column has numbers with a decimal comma beyond doubt.

    >>> has_commas(["0,125", "12,250"]), has_commas(["1,125", "12,250"]), has_commas(["0,5", "word"])
    (True, False, False)
    """
    found = False
    for cell in cells:
        if COMMA.fullmatch(cell):
            found = found or not THOUSANDS.fullmatch(cell)
        elif not WHOLE.fullmatch(cell) and cell.strip() not in GAPS:
            return False
    return found


def _is_comma(cells: Sequence[str], bad: NDArray[Any], others: Iterable[Iterable[str]]) -> bool:
    """Whether all that is no number with a point is one with a comma, and some of it, or of others, is no thousand."""
    with_comma = [cell for cell in (cells[int(i)] for i in bad) if cell.strip() not in GAPS]
    if (
        not with_comma
        or not all(COMMA.fullmatch(cell) for cell in with_comma)
        or any(POINT.fullmatch(cell) for cell in cells)
    ):
        return False
    return not all(map(THOUSANDS.fullmatch, with_comma)) or any(map(has_commas, others))


def _parse(cells: Iterable[str], out: NDArray[Any], *, gaps: bool) -> NDArray[Any]:
    bad = []
    for i, cell in enumerate(cells):
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if (not math.isfinite(value) and not (gaps and cell.strip() in GAPS)) or "_" in cell:
            bad.append(i)
        out[i] = value
    return np.array(bad, np.int64)


def what_is_wrong(cell: str, cells: Sequence[str]) -> str:
    """Why a cell is no number, and what to do about it.

    >>> what_is_wrong("1,234.5", [])
    'which is no finite number: write it without signs between thousands'
    """
    if cell.strip() in GAPS:
        return "which is no finite number: say with missing (drop, fill or mask) what becomes of empty cells"
    if THOUSANDS.fullmatch(cell) and COMMA.fullmatch(cell) and not any(POINT.fullmatch(other) for other in cells):
        return "which may be a fraction, as decimal: ',' would say, or thousands, to be written without a comma"
    if THOUSANDS.fullmatch(cell) and not (COMMA.fullmatch(cell) and any(POINT.fullmatch(other) for other in cells)):
        return "which is no finite number: write it without signs between thousands"
    if COMMA.fullmatch(cell):
        return "which is no finite number: with decimal: ',' it would be one"
    return "which is no finite number"
