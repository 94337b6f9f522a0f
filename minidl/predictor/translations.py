"""Translations of the rows of a table by beam search, the best of each row or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minidl.data.sources.rows import Rows
from minidl.data.tasks.reader import Reader
from minidl.data.tasks.translation import TranslationReader
from minidl.generate.apply import batches
from minidl.generate.beam import Beam
from minidl.generate.translate import search
from minidl.model import Model
from minidl.predictor.answer_columns import PREDICTION, Answers
from minidl.system.errors import UsageError


@dataclass(frozen=True)
class Searching:
    """How translations are looked for.

    beam: prefixes that are followed at a time; 1 is greedy. length_penalty: see `Beam`. n_best: translations of a row.
    """

    beam: int = 1
    length_penalty: float = 0.0
    n_best: int = 1

    def __post_init__(self) -> None:
        if self.beam < 1:
            raise UsageError(f"the width of a beam should be 1 or more, got {self.beam}")
        if not 1 <= self.n_best <= self.beam:
            raise UsageError(f"n_best should be from 1 to the width of the beam, {self.beam}, got {self.n_best}")
        if self.length_penalty < 0:
            raise UsageError(f"the penalty of length should be 0 or more, got {self.length_penalty}")


def translations(model: Model, reader: Reader, rows: Rows, searching: Searching) -> Answers:
    """`prediction`, and `prediction:2` and so on where several are asked for; model: a replica.

    None where a row has no text, or the search has found fewer.
    """
    if not isinstance(reader, TranslationReader):
        raise UsageError("a beam and n-best are for models that translate, and this one does not")
    examples, vocabulary = reader.read(rows), reader.vocabulary
    assert vocabulary is not None
    names = [PREDICTION, *(f"{PREDICTION}:{place}" for place in range(2, searching.n_best + 1))]
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in names}
    beam = Beam(searching.beam, searching.length_penalty, reader.longest)
    for chosen in batches(examples.lengths):
        found = search(model, reader, beam, **examples.take(chosen))
        for row, hypotheses in zip(examples.rows[chosen].tolist(), found, strict=True):
            for name, hypothesis in zip(names, hypotheses, strict=False):
                columns[name][row] = vocabulary.decode(hypothesis.ids)
    return Answers(columns)
