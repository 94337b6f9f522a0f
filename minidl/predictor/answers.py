"""What a model says of the rows of a table, as columns beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from minidl.data.independent import Independent
from minidl.data.sources.rows import Rows
from minidl.data.tasks.reader import Reader
from minidl.generate.apply import apply
from minidl.model import Model

PREDICTION, OF_CLASS = "prediction", "probability:"
Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Answers:
    """columns: by heading, as long as the table; None where there is no answer, as for the first rows of a series.

    ahead: rows beyond the end of each series, by heading.
    """

    columns: Columns
    ahead: list[dict[str, Any]] = field(default_factory=list)


def answers(model: Model, reader: Reader, rows: Rows, *, each_class: bool = False) -> Answers:
    """An answer for each row that says enough for one; each_class: with the probability of each class.

    model: a replica.
    """
    return Answers(collect(model, reader, reader.read(rows), len(rows), each_class=each_class))


def collect(
    model: Model, reader: Reader, examples: Independent, size: int, *, shift: int = 0, each_class: bool = False
) -> Columns:
    """The answers of all examples in columns of `size` rows, `shift` rows below the row that each speaks of."""
    columns: Columns = {PREDICTION: [None] * size} if not examples.lengths.any() else {}
    for chosen, outputs in apply(model, examples):
        places = (examples.rows[chosen] + shift).tolist()
        for name, values in reader.decode(outputs, examples, chosen).items():
            if each_class or not name.startswith(OF_CLASS):
                column = columns.setdefault(name, [None] * size)
                for place, value in zip(places, values, strict=True):
                    column[place] = value
    return columns
