"""Characters that a vocabulary lacks, read as others of their kind, where none may be left out."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import Counter

from minidl.data.sources.columns import TextColumn
from minidl.data.sources.rows import Rows
from minidl.data.tasks.text_input import TextInput
from minidl.data.vocabulary import Vocabulary


def with_stand_ins(rows: Rows, read: TextInput, vocabulary: Vocabulary, unseen: Counter[str]) -> Rows:
    """The rows with a character of the vocabulary in the place of each that it lacks; `unseen` counts these.

    The rows as they are, where it lacks none, or has an id for what is unknown.
    """
    if vocabulary.unknown is not None:
        return rows
    known = set(vocabulary.symbols)
    cells = list(rows.column(read.text))
    if read.normalise is not None:
        cells = [unicodedata.normalize(read.normalise, cell) for cell in cells]
    strange = Counter(char for cell in cells if not known.issuperset(cell) for char in cell if char not in known)
    if not strange:
        return rows
    unseen.update(strange)
    table = {ord(char): stand_in(char, vocabulary) for char in strange}
    columns = {**rows.columns, read.text: TextColumn(cell.translate(table) for cell in cells)}
    return dataclasses.replace(rows, columns=columns)


def stand_in(char: str, vocabulary: Vocabulary) -> str:
    """A character of the same general category, or of the same major one, or the first of all.

    >>> vocabulary = Vocabulary(("1", "A", "a"))
    >>> [stand_in(char, vocabulary) for char in "zZ7?"]
    ['a', 'A', '1', '1']
    """
    kind = unicodedata.category(char)
    kinds = {symbol: unicodedata.category(symbol) for symbol in vocabulary.symbols}
    same = [symbol for symbol, other in kinds.items() if other == kind]
    near = [symbol for symbol, other in kinds.items() if other[0] == kind[0]]
    return (same or near or list(vocabulary.symbols))[0]
