"""Where a text that is written begins and ends: two symbols of its vocabulary."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from minidl.data.vocabulary import Vocabulary
from minidl.data.words import UNKNOWN

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
