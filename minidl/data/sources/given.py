"""What Python programs hand over as rows: texts, mappings, columns, data frames; as the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError

OF_FRAMES = ("column_names", "columns", "__arrow_c_stream__", "__narwhals_dataframe__")
NAME = "the rows given"  # in messages, where a file would be named


def as_rows(given: Any, from_list: Callable[[Sequence[Any]], dict[str, Sequence[Any]]]) -> Rows:
    """Rows out of a list of texts or numbers, a list of mappings, a mapping of columns, or a data frame.

    from_list: names the columns of what comes without names.

    >>> as_rows([{"a": 1.5, "b": "x"}, {"a": None, "b": "y"}], lambda items: {"a": items}).columns
    {'a': ['1.5', ''], 'b': ['x', 'y']}
    """
    if isinstance(given, Rows):
        return given
    columns = _columns(given, from_list)
    if not columns or not all(len(column) for column in columns.values()):
        raise DataError("there are no rows: give texts, mappings, columns or a data frame")
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise DataError(f"columns of several lengths: {', '.join(f'{name} {n}' for name, n in sizes.items())}")
    cells = {name: [_cell(value) for value in column] for name, column in columns.items()}
    return Rows(NAME, cells, list(range(1, len(next(iter(cells.values()))) + 1)), "")


def _columns(given: Any, from_list: Callable[[Sequence[Any]], dict[str, Sequence[Any]]]) -> dict[str, Sequence[Any]]:
    if isinstance(given, Mapping):
        return {str(name): list(column) for name, column in given.items()}
    if (frame := _of_frame(given)) is not None:
        return frame
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise DataError(f"rows are a list of texts, mappings, columns or a data frame, got {type(given).__name__}")
    items: Any = given if isinstance(given, np.ndarray) else list(given)
    if len(items) and all(isinstance(item, Mapping) for item in items):
        missing = next((name for name in items[0] if any(name not in item for item in items)), None)
        if missing is not None:
            row = next(i for i, item in enumerate(items) if missing not in item)
            raise DataError(f"row {row + 1} has no {missing!r}, which the first row has")
        return {str(name): [item[name] for item in items] for name in items[0]}
    return from_list(items)


def _of_frame(given: Any) -> dict[str, Sequence[Any]] | None:
    """The columns of a data frame: of pandas, polars or pyarrow, or of any library that narwhals knows; else None."""
    if not any(hasattr(type(given), name) for name in OF_FRAMES):
        return None
    try:
        import narwhals  # an extra
    except ImportError:
        names: Any = given.column_names if hasattr(given, "column_names") else given.columns
        return {str(name): list(given[name]) for name in names}
    frame = narwhals.from_native(given, pass_through=True)
    if isinstance(frame, narwhals.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, narwhals.DataFrame):
        return None
    return {str(name): frame[name].to_list() for name in frame.columns}


def _cell(value: Any) -> str:
    """A value as a file would hold it; nothing for None, NaN and what else is unequal to itself."""
    if isinstance(value, str):
        return str(value)
    return "" if value is None or _is_missing(value) else str(value)


def _is_missing(value: Any) -> bool:
    try:
        return bool(value != value)
    except TypeError:  # NA of pandas, which is neither true nor false
        return True
