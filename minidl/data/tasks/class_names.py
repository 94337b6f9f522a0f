"""Names of classes and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minidl.data.baselines import majority
from minidl.data.batches import Array
from minidl.data.independent import Order
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError, suggest

Names = Sequence[str]


def check_filled(rows: Rows, cells: Iterable[str], column: str, members: Sequence[Order] | None = None) -> None:
    """Refuse an empty cell. members: the rows of each cell; None where there is one of each row."""
    for i, cell in enumerate(cells):
        if not cell:
            row = i if members is None else int(members[i][0])
            raise rows.error(row, f"column {column!r} is empty: fill it, or leave the row out (missing: drop)")


def one_string_each(cells: Iterable[str]) -> list[str]:
    """Cells of which the same ones are one string in memory, as they are in a column of few names."""
    known: dict[str, str] = {}
    return [known.setdefault(cell, cell) for cell in cells]


def class_names(
    rows: Rows, learnt: Iterable[Names], labels: Iterable[Names], members: Sequence[Order], *, least: int = 2
) -> tuple[str, ...]:
    """The names of the classes, sorted; all of them have to be in the training part.

    learnt: the names of each example of the training part. labels: of each example. members: the rows of each.
    """
    known = sorted({name for names in learnt for name in names})
    kinds = set(known)
    for i, names in enumerate(labels):
        if not kinds.issuperset(names):
            raise unknown_class(rows, int(members[i][0]), min(set(names) - kinds), known)
    if len(known) < least:
        raise DataError(f"{rows.name}: all rows are of class {known[0]!r}: there is nothing to tell apart")
    return tuple(known)


def of_classes(names: Names, training: Array, validation: Array) -> dict[str, Any]:
    """What a data set says of its classes, from the targets of two parts: facts, metadata and baselines."""
    counts = np.bincount(training, minlength=len(names))
    return {
        "facts": {"classes": len(names)},
        "metadata": {"class_names": list(names), "class_counts": counts.tolist()},
        "baselines": majority([training], [validation] if validation.size else []),
    }


def unknown_class(rows: Rows, row: int, name: str, known: Names) -> DataError:
    """What is said of a class that was never learnt."""
    return rows.error(
        row,
        f"class {name!r} is in no row of the training part{suggest(name, known)}; correct it, "
        f"leave rows of rare classes out, or give the training part a larger share",
    )


def number_classes(rows: Rows, labels: Sequence[Names], known: Names) -> list[Array]:
    """The numbers of the classes of each row; DataError for one that was never learnt."""
    numbers = {name: i for i, name in enumerate(known)}
    try:
        return [np.array([numbers[name] for name in each], np.int64) for each in labels]
    except KeyError:
        row = next(i for i, each in enumerate(labels) if not numbers.keys() >= set(each))
        raise unknown_class(rows, row, min(set(labels[row]) - numbers.keys()), known) from None


def number_each(rows: Rows, names: Names, known: Names, members: Sequence[Order]) -> Array:
    """As `number_classes`, of one name each, which stands in the first of the rows of its example."""
    numbers = {name: i for i, name in enumerate(known)}
    try:
        return np.fromiter((numbers[name] for name in names), np.int32, len(names))
    except KeyError:
        i = next(i for i, name in enumerate(names) if name not in numbers)
        raise unknown_class(rows, int(members[i][0]), names[i], known) from None
