"""Answers about a long series: read window by window, the state carried from one to the next."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.data.sources.rows import Rows
from minidl.data.tasks.series_reader import SeriesReader
from minidl.generate.answers import answer_on
from minidl.model import Model
from minidl.predictor.answer_columns import Answers
from minidl.system.errors import NumericsError

WINDOW = 4096  # rows that are read at a time


def stream_answers(model: Model, reader: SeriesReader, rows: Rows, ahead: int = 0) -> Answers:
    """Beside each row what was predicted for it, `horizon` rows before; and up to so many rows beyond the end.

    model: a replica. ahead: rows beyond the end, at most the horizon.
    """
    x = reader.scaled(rows)
    found = []
    model.reset_state()
    for start in range(0, len(x), WINDOW):
        outputs = answer_on(model, x=np.ascontiguousarray(x[start : start + WINDOW, None]))
        if not np.isfinite(outputs).all():
            raise NumericsError("the model answers with NaN or infinity: it has diverged; take an older checkpoint")
        found.append(reader.outputs.undo(outputs[:, 0]))
    table = np.concatenate(found)
    columns: dict[str, list[Any]] = {
        name: [None] * min(reader.horizon, len(x)) + table[: len(x) - reader.horizon, k].tolist()
        for k, name in enumerate(reader.headings())
    }
    beyond = table[len(x) - reader.horizon :][:ahead] if reader.horizon else table[:0]
    return Answers(columns, [dict(zip(reader.headings(), row, strict=True)) for row in beyond.tolist()])
