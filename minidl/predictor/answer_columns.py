"""What a model says of the rows of a table, as columns beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from minidl.data.sources.rows import Rows
from minidl.data.tasks.number_input import NumberInput
from minidl.data.tasks.reader import Reader
from minidl.data.tasks.time_order import groups
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


@dataclass(frozen=True)
class Piece:
    """Some rows of a file, in its order, and what the model says of them."""

    rows: Rows
    answers: Answers


def answers(model: Model, reader: Reader, rows: Rows, *, each_class: bool = False) -> Answers:
    """An answer for each row that says enough for one; each_class: with the probability of each class.

    model: a replica. Where the rows of a group are one example, all of them have its answer.
    """
    examples = reader.read(rows)
    asked = [name for name in reader.headings() if each_class or not name.startswith(OF_CLASS)]
    columns: Columns = {name: [None] * len(rows) for name in asked}
    for chosen, outputs in apply(model, examples):
        places = examples.rows[chosen].tolist()
        for name, values in reader.decode(outputs, examples, chosen).items():
            if each_class or not name.startswith(OF_CLASS):
                column = columns.setdefault(name, [None] * len(rows))
                for place, value in zip(places, values, strict=True):
                    column[place] = value
    read = getattr(reader, "input", None)
    if isinstance(read, NumberInput):
        for members in groups(rows, read.group):
            for column in columns.values():
                said = next((column[i] for i in members.tolist() if column[i] is not None), None)
                for i in members.tolist():
                    column[i] = said
    return Answers(columns)
