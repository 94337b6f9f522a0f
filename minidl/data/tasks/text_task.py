"""Tasks that read a text and answer with classes: what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from minidl.data.independent import Order, Part
from minidl.data.sources.rows import Rows
from minidl.data.tasks.task import SplitAndBatch, Task
from minidl.data.tasks.text_input import TextInput
from minidl.system.errors import DataError, suggest

Array = NDArray[Any]
Symbols = Sequence[str]


@dataclass(frozen=True)
class TextTask(Task, abstract=True):
    """Base of tasks on a column of texts: `text` is its name.

    tokens: whether characters or words are read. max_vocab: size of the vocabulary, "<unk>" included; None for all
    that occurs.
    """

    text: str
    tokens: Literal["char", "word"] = field(default="char", kw_only=True)
    max_vocab: Annotated[int, Ge(2)] | None = field(default=None, kw_only=True)

    at_space = False

    def text_input(self) -> TextInput:
        """How its texts are read."""
        return TextInput(self.text, self.tokens, at_space=self.at_space and self.tokens == "word")


def three_parts(examples: Any, parts: Sequence[Order], deal: SplitAndBatch) -> tuple[Part, Part | None, Part | None]:
    """Batches of the training, validation and test part; None for a part that is empty."""
    train = Part(examples, parts[0], deal.batch_size, seed=deal.seed, shuffle=deal.shuffle)
    validation, test = (
        Part(examples, part, deal.batch_size, by_length=True) if part.size else None for part in parts[1:]
    )
    return train, validation, test


def check_filled(rows: Rows, cells: Sequence[Symbols], column: str) -> None:
    """Refuse an empty cell."""
    for i, cell in enumerate(cells):
        if not cell:
            raise rows.error(i, f"column {column!r} is empty: fill it, or leave the row out")


def class_names(rows: Rows, labels: Sequence[Symbols], training: Order) -> tuple[str, ...]:
    """The names of the classes, sorted; all of them have to be in the training part."""
    known = sorted({name for i in training for name in labels[i]})
    kinds = set(known)
    for i, names in enumerate(labels):
        unseen = set(names) - kinds
        if unseen:
            raise unknown_class(rows, i, min(unseen), known)
    if len(known) < 2:
        raise DataError(f"{rows.name}: all rows are of class {known[0]!r}: there is nothing to tell apart")
    return tuple(known)


def unknown_class(rows: Rows, row: int, name: str, known: Sequence[str]) -> DataError:
    """What is said of a class that was never learnt."""
    return rows.error(
        row,
        f"class {name!r} is in no row of the training part{suggest(name, known)}; correct it, "
        f"leave rows of rare classes out, or give the training part a larger share",
    )


def number_classes(rows: Rows, labels: Sequence[Symbols], names: Sequence[str]) -> list[Array]:
    """The numbers of the classes of each row; DataError for one that was never learnt."""
    numbers = {name: i for i, name in enumerate(names)}
    try:
        return [np.array([numbers[name] for name in each]) for each in labels]
    except KeyError:
        row = next(i for i, each in enumerate(labels) if not numbers.keys() >= set(each))
        raise unknown_class(rows, row, min(set(labels[row]) - numbers.keys()), names) from None
