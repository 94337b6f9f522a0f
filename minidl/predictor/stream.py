"""Answers about a long series: read window by window, the state carried from one to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from minidl.data.sources.rows import Rows
from minidl.data.tasks.series_reader import SeriesReader
from minidl.generate.answers import answer_on
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.predictor.answer_columns import Answers, Piece
from minidl.predictor.parts import Part
from minidl.system.errors import NumericsError, UsageError

WINDOW = 4096  # rows that are read at a time


def stream_answers(model: Model, reader: SeriesReader, parts: Iterable[Part], ahead: int = 0) -> Iterator[Piece]:
    """Beside each row what was predicted for it, `horizon` rows before; and up to so many rows beyond the end.

    model: a replica. ahead: rows beyond the end, at most the horizon.
    """
    if ahead > reader.horizon:
        raise UsageError(f"this model looks {reader.horizon} rows ahead, and no further")
    names = reader.headings()
    found = np.full((reader.horizon, len(names)), np.nan)  # for the next rows
    model.reset_state()
    for part in parts:
        found = np.concatenate([found, *_outputs(model, reader, part.rows)])
        said, found = np.split(found, [len(part.rows)])
        columns = {name: [None if np.isnan(x) else x for x in said[:, k].tolist()] for k, name in enumerate(names)}
        beyond = [dict(zip(names, row, strict=True)) for row in found[:ahead].tolist()] if part.last else []
        yield Piece(part.rows, Answers(columns, beyond))


def _outputs(model: Model, reader: SeriesReader, rows: Rows) -> Iterator[Array]:
    """What the model says of the next rows (n, K), window by window."""
    x = reader.scaled(rows)
    for start in range(0, len(x), WINDOW):
        outputs = answer_on(model, x=np.ascontiguousarray(x[start : start + WINDOW, None]))
        if not np.isfinite(outputs).all():
            raise NumericsError("the model answers with NaN or infinity: it has diverged; take an older checkpoint")
        yield reader.outputs.undo(outputs[:, 0])
