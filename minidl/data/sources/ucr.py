"""The files of the UCR and UEA archive of time series: .ts and .arff, a series of one or more dimensions a line.

Each becomes rows of a table, one a step: `series` (its number), `step`, `x1`, `x2`, ... (its dimensions) and `label`.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from minidl.data.sources.columns import PIECE, Cells, NumberColumn, TextColumn
from minidl.data.sources.numbers import is_number
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError

Series = tuple[int, list[list[float]], str]  # line, dimensions, label


def read_ts(text: Iterable[str], name: str, size: int = PIECE) -> Iterator[Rows]:
    r"""Dimensions between colons, then the class; so many rows at a time, but always whole series.

    >>> (rows,) = read_ts(["@classLabel true a b\n", "@data\n", "1,2:3,4:a\n"], "x.ts")
    >>> rows.columns["x2"].numbers.tolist()
    [3.0, 4.0]
    """
    return _pieces(_ts_series(text, name), name, size)


def _ts_series(text: Iterable[str], name: str) -> Iterator[Series]:
    has_label, in_data = True, False
    for number, line in enumerate(text, 1):
        line = line.strip()
        if not line or line.startswith(("#", "%")):
            continue
        if not in_data:
            words = line.lower().split()
            in_data = words[0] == "@data"
            if words[0] in ("@classlabel", "@targetlabel") and words[1:2] == ["false"]:
                has_label = False
            if words[0] == "@timestamps" and words[1:2] == ["true"]:
                raise DataError(f"{name}:{number}: series with time stamps are not read: write their values alone")
            continue
        parts = line.split(":")
        label = parts.pop().strip() if has_label else ""
        yield number, [_numbers(part.split(","), name, number) for part in parts], label


def read_arff(text: Iterable[str], name: str, size: int = PIECE) -> Iterator[Rows]:
    r"""Numbers between commas, then the class; several dimensions stand in quotes, a line break between them.

    >>> (rows,) = read_arff(["@attribute a numeric\n", "@data\n", "1,2,b\n", "'3,4',c\n"], "x.arff")
    >>> rows.columns["label"]
    ['b', 'b', 'c', 'c']
    """
    return _pieces(_arff_series(text, name), name, size)


def _arff_series(text: Iterable[str], name: str) -> Iterator[Series]:
    lines = enumerate(text, 1)
    for _, line in lines:
        if line.strip().lower().startswith("@data"):
            break
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("%"):
            continue
        quote = "'" if "'" in line else '"'
        cells = next(csv.reader([line.strip()], quotechar=quote, skipinitialspace=True))
        label = cells.pop()
        dimensions = cells[0].split("\\n") if len(cells) == 1 and "," in cells[0] else None
        parts = [part.split(",") for part in dimensions] if dimensions else [cells]
        yield number, [_numbers(part, name, number) for part in parts], label


def _numbers(cells: list[str], name: str, line: int) -> list[float]:
    try:
        return [np.nan if cell.strip() in ("?", "NaN") else float(cell) for cell in cells]
    except ValueError:
        wrong = next(cell for cell in cells if not is_number(cell) and cell.strip() != "?")
        raise DataError(f"{name}:{line}: {wrong.strip()[:40]!r} is no number") from None


def _pieces(found: Iterator[Series], name: str, size: int) -> Iterator[Rows]:
    held: list[Series] = []
    count, steps, dimensions = 0, 0, 0
    for line, each, label in found:
        dimensions = dimensions or len(each)
        if len(each) != dimensions:
            raise DataError(f"{name}:{line}: dimensions of this series: {len(each)}, of the first: {dimensions}")
        if any(len(dimension) != len(each[0]) for dimension in each):
            raise DataError(f"{name}:{line}: the dimensions of this series are of different lengths")
        held.append((line, each, label))
        steps += len(each[0])
        if steps >= size:
            yield _rows(held, count, name)
            count, held, steps = count + len(held), [], 0
    if held:
        yield _rows(held, count, name)
    elif not count:
        raise DataError(f"{name} has no series below @data")


def _rows(found: list[Series], before: int, name: str) -> Rows:
    """Series as rows. before: how many there were before the first of these."""
    lengths = [len(each[0]) for _, each, _ in found]
    columns: dict[str, Cells] = {
        "series": NumberColumn(np.repeat(np.arange(before, before + len(found)), lengths)),
        "step": NumberColumn(np.concatenate([np.arange(length) for length in lengths])),
    }
    for k in range(len(found[0][1])):
        columns[f"x{k + 1}"] = NumberColumn(np.concatenate([each[k] for _, each, _ in found]))
    columns["label"] = TextColumn(label for (*_, label), n in zip(found, lengths, strict=True) for _ in range(n))
    lines = array("I", (line for (line, *_), n in zip(found, lengths, strict=True) for _ in range(n)))
    return Rows(name, columns, lines, "")
