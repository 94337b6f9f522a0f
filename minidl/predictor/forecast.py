"""Forecasts: beside each row what was predicted for it, and rows beyond the end, for which the model reads its own."""

from __future__ import annotations

from typing import Any

from minidl.data.sources.rows import Rows
from minidl.data.tasks.forecast_reader import ForecastReader
from minidl.model import Model
from minidl.predictor.answers import PREDICTION, Answers, Columns, collect
from minidl.system.errors import DataError, UsageError


def forecasts(model: Model, reader: ForecastReader, rows: Rows, ahead: int = 0) -> Answers:
    """A prediction for each row that has a full window `horizon` rows before it, and for `ahead` rows after the last.

    model: a replica.
    """
    examples, first = reader.read(rows), reader.window + reader.horizon - 1  # rows before the first that is predicted
    if len(rows) + min(ahead, 1) <= first:
        raise DataError(f"{rows.name}: {len(rows)} rows are too few: a row is predicted from {first} before it")
    known, size = len(rows), len(rows) + reader.horizon
    columns = collect(model, reader, examples, size, shift=reader.horizon)
    beyond = _rows(columns, known)
    while len(beyond) < ahead:
        read = _fed_back(reader, beyond)
        tail = _tail(rows, read, reader.window + reader.horizon - 1)
        found = collect(model, reader, reader.read(tail), len(tail) + reader.horizon, shift=reader.horizon)
        beyond += _rows(found, len(tail))
    return Answers({name: column[:known] for name, column in columns.items()}, beyond[:ahead])


def _rows(columns: Columns, start: int) -> list[dict[str, Any]]:
    """The rows of columns from one on."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*(c[start:] for c in columns.values()), strict=True)]


def _fed_back(reader: ForecastReader, predicted: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Predicted rows as cells of the columns that the model reads."""
    targets, missing = reader.targets, [name for name in reader.columns if name not in reader.targets]
    if missing:
        raise UsageError(
            f"the model reads {', '.join(missing)}, which it does not predict: it can look {reader.horizon} "
            f"row{'s' if reader.horizon > 1 else ''} ahead, and no further"
        )
    headings = {name: PREDICTION if len(targets) == 1 else f"{PREDICTION}:{name}" for name in targets}
    return {name: [repr(row[headings[name]]) for row in predicted] for name in reader.columns}


def _tail(rows: Rows, more: dict[str, list[str]], count: int) -> Rows:
    """The last rows of a series that goes on with more, of the columns that are read."""
    columns = {name: (rows.columns[name][-count:] + cells)[-count:] for name, cells in more.items()}
    return Rows(rows.name, columns, [0] * count, "")
