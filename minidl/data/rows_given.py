"""A data set from rows that a Python program has at hand."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

from minidl.data.batches import Dataset
from minidl.data.sources.given import as_rows
from minidl.data.table import Table
from minidl.data.tasks.task import Task
from minidl.system.errors import DataError


def from_rows(rows: Any, task: Task, **settings: Any) -> Dataset:
    """A data set from a data frame (pandas, polars, pyarrow), a mapping of columns, or a list of mappings.

    settings: those of `Table`, such as batch_size, split and group.

    Raises DataError for what a file of the same rows would be refused for.

    >>> from minidl.data import Classification
    >>> rows = {"text": ["yes", "no", "never", "sure"] * 5, "kind": [1, 0, 0, 1] * 5}
    >>> dataset = from_rows(rows, Classification("text", label="kind"), batch_size=4)
    >>> dataset.facts["classes"], dataset.train.batch(0).inputs["targets"].shape
    (2, (4,))
    """
    given = as_rows(rows, _without_names)
    digest = hashlib.sha256()
    for name, cells in given.columns.items():
        for text in (name, *cells):
            digest.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
    found = dataclasses.replace(given, digest=digest.hexdigest())
    return task.dataset(found, Table("", task, **settings).settings())


def _without_names(items: Sequence[Any]) -> dict[str, Sequence[Any]]:
    raise DataError("rows have names for their columns: give a data frame, columns or mappings")
