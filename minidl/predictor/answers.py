"""What a model says of some rows: as Python has it, and as columns of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from minidl.data.rows import Rows


@dataclass(frozen=True)
class Answers:
    """values: an answer for each row. probabilities: of each class, in the order of the classes; None for numbers.

    columns: the answers as a file has them, by heading. ahead: rows beyond the end of each series, with all their
    columns.
    """

    values: Any
    probabilities: Any = None
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    ahead: Sequence[Mapping[str, Any]] = ()


class Answering(Protocol):
    """A trained model together with what its numbers mean: one for each kind of task."""

    reads: tuple[str, ...]
    classes: tuple[str, ...]
    piece: int | None  # rows that are answered at a time; None where a row depends on others

    def from_list(self, items: Sequence[Any]) -> dict[str, Sequence[Any]]:
        """Columns out of what may be given without them: texts, or rows of numbers."""

    def answer(self, rows: Rows, *, each_class: bool = False, ahead: int = 0) -> Answers:
        """What the model says; `each_class` adds a column for the probability of each class."""

    def notes(self) -> list[str]:
        """What has to be told of the rows so far."""
