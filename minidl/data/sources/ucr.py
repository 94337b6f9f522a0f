"""The files of the UCR and UEA archive of time series: .ts and .arff, a series of one or more dimensions a line.

Each becomes rows of a table, one a step: `series` (its number), `step`, `x1`, `x2`, ... (its dimensions) and `label`.
"""

from __future__ import annotations

import csv
import hashlib
from array import array
from collections.abc import Iterator

import numpy as np

from minidl.data.sources.rows import Cells, NumberColumn, Rows, TextColumn
from minidl.system.errors import DataError

Series = tuple[int, list[list[float]], str]  # line, dimensions, label


def read_ts(text: str, name: str) -> Rows:
    r"""Dimensions between colons, then the class.

    >>> read_ts("@classLabel true a b\n@data\n1,2:3,4:a\n", "x.ts").columns["x2"].numbers.tolist()
    [3.0, 4.0]
    """
    return _rows(_ts_series(text, name), text, name)


def _ts_series(text: str, name: str) -> Iterator[Series]:
    has_label, in_data = True, False
    for number, line in enumerate(text.split("\n"), 1):
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


def read_arff(text: str, name: str) -> Rows:
    r"""Numbers between commas, then the class; several dimensions stand in quotes, a line break between them.

    >>> read_arff("@attribute a numeric\n@data\n1,2,b\n'3,4',c\n", "x.arff").columns["label"]
    ['b', 'b', 'c', 'c']
    """
    return _rows(_arff_series(text, name), text, name)


def _arff_series(text: str, name: str) -> Iterator[Series]:
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip().lower().startswith("@data")), len(lines))
    for number, line in enumerate(lines[start + 1 :], start + 2):
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
        wrong = next(cell for cell in cells if not _is_number(cell))
        raise DataError(f"{name}:{line}: {wrong.strip()[:40]!r} is no number") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip() == "?"
    return True


def _rows(found: Iterator[Series], text: str, name: str) -> Rows:
    series, steps, lines, labels = array("q"), array("q"), array("q"), TextColumn()
    dimensions: list[list[float]] = []
    for number, (line, each, label) in enumerate(found):
        length = len(each[0])
        if dimensions and len(each) != len(dimensions):
            raise DataError(f"{name}:{line}: dimensions of this series: {len(each)}, of the first: {len(dimensions)}")
        if any(len(dimension) != length for dimension in each):
            raise DataError(f"{name}:{line}: the dimensions of this series are of different lengths")
        dimensions = dimensions or [[] for _ in each]
        for values, dimension in zip(dimensions, each, strict=True):
            values += dimension
        series.extend([number] * length)
        steps.extend(range(length))
        lines.extend([line] * length)
        labels.extend([label] * length)
    if not lines:
        raise DataError(f"{name} has no series below @data")
    numbers = {f"x{k}": NumberColumn(values) for k, values in enumerate(dimensions, 1)}
    columns: dict[str, Cells] = {
        "series": NumberColumn(series),
        "step": NumberColumn(steps),
        **numbers,
        "label": labels,
    }
    return Rows(name, columns, lines, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
