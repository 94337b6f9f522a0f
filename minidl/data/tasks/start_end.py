"""Where a text that is written begins and ends: two symbols of its vocabulary."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from minidl.data.vocabulary import Vocabulary
from minidl.data.words import UNKNOWN
from minidl.system.errors import CheckpointError

START, END = "\x02", "\x03"  # the characters that ASCII has for the start and the end of a text


def with_ends(counts: Counter[str], tokens: Literal["char", "word"], max_vocab: int | None) -> Vocabulary:
    """START, END and the most frequent symbols; "<unk>" stands for the rest, and for words to come.

    >>> with_ends(Counter("aab"), "char", None).symbols
    ('\\x02', '\\x03', 'a', 'b')
    """
    most: Any = counts.most_common(None if max_vocab is None else max_vocab - 3)
    symbols = [START, END, *sorted(symbol for symbol, _ in most if symbol not in (START, END, UNKNOWN))]
    known_all = tokens == "char" and len(most) == len(counts)
    return Vocabulary(tuple(symbols if known_all else [*symbols, UNKNOWN]), tokens, None if known_all else len(symbols))


def ends_of(vocabulary: Vocabulary | None) -> tuple[int, int]:
    """The ids of START and END; CheckpointError where a model has none.

    >>> ends_of(with_ends(Counter("aab"), "char", None))
    (0, 1)
    """
    known = () if vocabulary is None else vocabulary.symbols
    if START not in known or END not in known:
        raise CheckpointError(
            "a model of documents or translations has a start and an end in its vocabulary, and this one has not"
        )
    return known.index(START), known.index(END)
