"""Columns of numbers in standard deviations from their mean, both of the training part, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Len

from minidl.config.declared import Declared
from minidl.data.batches import Array
from minidl.system.errors import ConfigError, DataError

LARGEST = 1e100  # of a number whose square, and the sum of many squares, is finite
SMALLEST = 1e-100  # of a number that is not 0, so that what is divided by its size is finite
LEAST_SPREAD = 1e-12  # of a column that varies, relative to its size: less is what rounding leaves of a constant


@dataclass(frozen=True)
class Scaling(Declared, family="scaling", abstract=False):
    """(value - mean) / deviation for each of some columns.

    >>> scaling = Scaling.learn(np.array([[1.0], [3.0]]), ["t"], "table.csv")
    >>> scaling.apply(np.array([[4.0]])).tolist(), scaling.undo(np.array([[2.0]])).tolist()
    ([[2.0]], [[4.0]])
    """

    columns: Annotated[tuple[str, ...], Len(1)]
    mean: tuple[float, ...]
    deviation: tuple[Annotated[float, Gt(0)], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.columns) == len(self.mean) == len(self.deviation):
            raise ConfigError("columns, mean and deviation should be as many as each other")

    @classmethod
    def learn(cls, numbers: Array, names: Sequence[str], source: str) -> Scaling:
        """The scale of columns (N, F), of which NaN does not count; DataError for one that does not vary."""
        means, deviations = [], []
        for k, name in enumerate(names):
            column = numbers[:, k]
            column = column[~np.isnan(column)]
            if not column.size:
                raise DataError(f"{source}: column {name!r} is empty in all rows of the training part: leave it out")
            mean, deviation = float(column.mean()), float(column.std())
            if not deviation > LEAST_SPREAD * float(np.abs(column).max()):
                raise DataError(f"{source}: column {name!r} is the same in all rows of the training part: leave it out")
            means.append(mean)
            deviations.append(deviation)
        return cls(tuple(names), tuple(means), tuple(deviations))

    def apply(self, numbers: Array) -> Array:
        """Numbers (..., F) in standard deviations from the mean."""
        scaled: Array = (numbers - np.array(self.mean)) / np.array(self.deviation)
        return scaled

    def undo(self, scaled: Array) -> Array:
        """The inverse of `apply`, in double precision."""
        numbers: Array = scaled.astype(np.float64) * np.array(self.deviation) + np.array(self.mean)
        return numbers
