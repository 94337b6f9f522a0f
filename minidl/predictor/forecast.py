"""Forecasts: beside each row what was predicted for it, and rows beyond the end, for which the model reads its own."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minidl.data.independent import Order
from minidl.data.sources.rows import Rows
from minidl.data.tasks.forecast_reader import ForecastReader
from minidl.data.tasks.time_order import series
from minidl.generate.apply import apply
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.predictor.answer_columns import Answers, Piece
from minidl.predictor.parts import Part
from minidl.predictor.times import times_after
from minidl.system.errors import DataError, UsageError

logger = logging.getLogger("minidl")


def forecasts(model: Model, reader: ForecastReader, parts: Iterable[Part], ahead: int = 0) -> Iterator[Piece]:
    """A prediction for each row that a window goes before, the nearest where several do, and for rows after the last.

    model: a replica. ahead: rows beyond the end of each series.
    """
    headings, any_yet, short = reader.headings_of_row(), False, 0
    for part in parts:
        rows = part.rows
        ordered = series(rows, reader.group, reader.time)
        predicted = _predicted(model, reader, rows, ordered)
        table = np.full((len(rows), len(headings)), np.nan)
        beyond = []
        for order, found in zip(ordered, predicted, strict=True):
            table[order] = found[: len(order)]
            if ahead and part.ends(order):
                more = _beyond(model, reader, rows.take(order), found[len(order) :], ahead)
                beyond += more
                short += not more
        any_yet = any_yet or bool(np.isfinite(table).any() or beyond)
        if part.last and not any_yet:
            raise DataError(f"{rows.name}: {len(rows)} rows are too few: {_least(reader)}")
        if part.last and short:
            logger.warning(
                "%s: %d series have too few rows to go on beyond their end: %s", rows.name, short, _least(reader)
            )
        cells = table[part.before :].T.tolist()
        columns = {name: [None if np.isnan(x) else x for x in cells[k]] for k, name in enumerate(headings)}
        yield Piece(part.fresh, Answers(columns, beyond))


def _least(reader: ForecastReader) -> str:
    gap = " without a gap" if reader.missing == "drop" else ""
    return f"a row is predicted from {reader.window + reader.steps[0] - 1} before it{gap}"


def _predicted(model: Model, reader: ForecastReader, rows: Rows, ordered: list[Order]) -> list[Array]:
    """What is predicted for each row of each series, and for as many after it as a window reaches (n + horizon, K)."""
    tables = [np.full((len(order) + reader.horizon, len(reader.headings_of_row())), np.nan) for order in ordered]
    which, place = np.zeros(len(rows), np.intp), np.zeros(len(rows), np.intp)
    for k, order in enumerate(ordered):
        which[order], place[order] = k, np.arange(len(order))
    examples = reader.read(rows)
    nearest = [np.full(len(table), reader.horizon + 1) for table in tables]
    for chosen, outputs in apply(model, examples):
        found = np.array(list(reader.decode(outputs, examples, chosen).values())).T
        found = found.reshape(len(chosen), len(reader.steps), -1)
        for row, values in zip(examples.rows[chosen].tolist(), found, strict=True):
            k = which[row]
            for step, value in zip(reader.steps, values, strict=True):
                if step < nearest[k][place[row] + step]:
                    nearest[k][place[row] + step] = step
                    tables[k][place[row] + step] = value
    return tables


def _beyond(model: Model, reader: ForecastReader, known: Rows, direct: Array, ahead: int) -> list[dict[str, Any]]:
    """Rows beyond the end of one series; none where it is too short. direct: those that its windows reach."""
    direct = direct[np.isfinite(direct).all(axis=1)]
    found = direct
    while len(found) < ahead:
        if not len(found) and reader.known is not None:
            names = ", ".join(reader.known.columns)
            raise DataError(
                f"{known.name}: beyond its end the model has to know {names}: add rows with these, the other columns "
                "empty, which are predicted without --ahead"
            )
        if not len(found):
            return []
        longer = _longer(reader, known, found)
        (table,) = _predicted(model, reader, longer, [np.arange(len(longer))])
        more = table[len(longer) :]
        found = np.concatenate([found, more[np.isfinite(more).all(axis=1)]])
    place: dict[str, Any] = {} if reader.group is None else {reader.group: known.column(reader.group)[0]}
    times = [] if reader.time is None else times_after(known, reader.time, ahead)
    headings = reader.headings_of_row()
    rows = [place | dict(zip(headings, row, strict=True)) for row in found[:ahead].tolist()]
    return [row | {str(reader.time): time} for row, time in zip(rows, times, strict=True)] if times else rows


def _longer(reader: ForecastReader, known: Rows, predicted: Array) -> Rows:
    """The last rows of a series and the predicted ones after it, as far as new windows read them."""
    count = reader.window + reader.horizon - 1
    cells = {
        name: list(map(repr, column)) for name, column in zip(reader.targets, _points(reader, predicted), strict=True)
    }
    missing = [
        name for name in (*reader.inputs.columns, *(reader.known.columns if reader.known else ())) if name not in cells
    ]
    if missing:
        raise UsageError(
            f"the model reads {', '.join(missing)}, which it does not predict: it can look {reader.horizon} "
            f"row{'s' if reader.horizon > 1 else ''} ahead, and no further"
        )
    columns: dict[str, Any] = {}
    for name in reader.columns:
        if name in cells:
            columns[name] = [*known.column(name)[-count:], *cells[name]][-count:]
    size = len(next(iter(columns.values())))
    for name in filter(None, (reader.group, reader.time)):
        columns[name] = list(map(str, range(size))) if name == reader.time else ["0"] * size
    return Rows(known.name, columns, [0] * size, "")


def _points(reader: ForecastReader, predicted: Array) -> list[list[float]]:
    """One number for each target and row: the median, where quantiles are predicted."""
    quantiles = reader.quantiles or (None,)
    middle = quantiles.index(0.5) if 0.5 in quantiles else None
    if reader.quantiles is not None and middle is None:
        raise UsageError("the model predicts quantiles without the median, which alone could be fed back: add 0.5")
    table = predicted.reshape(len(predicted), len(reader.targets), len(quantiles))
    points: list[list[float]] = table[:, :, middle or 0].T.tolist()
    return points
