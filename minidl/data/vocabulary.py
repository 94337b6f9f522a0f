"""Symbols and their ids, in an order that is fixed and saved, so that a model read back speaks as it did."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidl.data.subwords import SIZE, Merges, learn_subwords, split_pieces, subwords_of
from minidl.data.words import UNKNOWN, join_words, split_words
from minidl.system.errors import DataError

Ids = NDArray[np.int32]
Policy = Literal["error", "skip"]
Kind = Literal["char", "word", "bpe"]
NOUNS = {"char": "character", "word": "word", "bpe": "subword"}


@dataclass(frozen=True)
class Vocabulary:
    """A numbering of characters, words or subwords; the id of a symbol is its place in `symbols`.

    `unknown`: the id that stands for every symbol not listed; None if there is no such id. `merges`: the pairs that
    subwords are joined of, in the order in which they were learnt.

    >>> vocabulary = Vocabulary.from_text("hello")
    >>> vocabulary.symbols, vocabulary.encode("hole").tolist()
    (('e', 'h', 'l', 'o'), [1, 3, 2, 0])
    >>> vocabulary.decode([1, 0, 2, 2, 3])
    'hello'
    """

    symbols: tuple[str, ...]
    kind: Kind = "char"
    unknown: int | None = None
    merges: Merges = field(default=(), repr=False)

    def __post_init__(self) -> None:
        _check_symbols(self.symbols, self.kind, self.unknown)
        _check_merges(self.symbols, self.kind, self.merges)

    @property
    def noun(self) -> str:
        """What its symbols are called."""
        return NOUNS[self.kind]

    def __len__(self) -> int:
        return len(self.symbols)

    @classmethod
    def from_text(cls, text: str, kind: Kind = "char", max_vocab: int | None = None) -> Vocabulary:
        """The vocabulary of a text: its characters by code point, its words as in `from_words`, or its subwords.

        `max_vocab` keeps the most frequent characters and lets "<unk>", which is counted in, stand for the rest.
        """
        if kind == "word":
            return cls.from_words(split_words(text), max_vocab)
        if kind == "bpe":
            symbols, merges = learn_subwords(split_pieces(text), SIZE if max_vocab is None else max_vocab)
            return cls(symbols, "bpe", symbols.index(UNKNOWN), merges)
        return cls.from_char_counts(Counter(set(text) if max_vocab is None else text), max_vocab)

    @classmethod
    def from_char_counts(cls, counts: Counter[str], max_vocab: int | None = None) -> Vocabulary:
        """As `from_text`, of characters that are counted already."""
        if max_vocab is None or len(counts) <= max_vocab:
            return cls(tuple(sorted(counts)), "char")
        kept = sorted(_most_frequent(counts, max_vocab - 1))
        return cls((*kept, UNKNOWN), "char", unknown=len(kept))

    @classmethod
    def from_words(cls, words: Iterable[str], max_vocab: int | None = None) -> Vocabulary:
        """The words, the most frequent first and equally frequent ones by their text, then "<unk>".

        `max_vocab` is the size of the vocabulary, "<unk>" included.

        >>> Vocabulary.from_words(["b", "a", "c", "c"], max_vocab=3)
        Vocabulary(symbols=('c', 'a', '<unk>'), kind='word', unknown=2)
        """
        return cls.from_counts(Counter(words), max_vocab)

    @classmethod
    def from_counts(cls, counts: Counter[str], max_vocab: int | None = None) -> Vocabulary:
        """As `from_words`, of words that are counted already."""
        del counts[UNKNOWN]
        kept = _most_frequent(counts, len(counts) if max_vocab is None else max_vocab - 1)
        return cls((*kept, UNKNOWN), "word", unknown=len(kept))

    def encode(self, text: str, unknown: Policy = "error") -> Ids:
        """The ids of a text's characters, words or subwords.

        A symbol that is not listed becomes the unknown id. Where there is none, `unknown` says what to do:
        "error" raises DataError with the symbols and the place of the first, "skip" leaves them out.
        """
        if self.kind == "word":
            return self.encode_words(split_words(text), unknown)
        if self.kind == "bpe":
            ids = [i for piece in split_pieces(text) for i in self._subword_ids(piece)]
            return np.array(ids, np.int32)
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        ids = self._table[np.minimum(points, len(self._table) - 1)]
        return self._listed(ids, text, unknown)

    def encode_words(self, words: Sequence[str], unknown: Policy = "error") -> Ids:
        """The ids of words that `split_words` has made; otherwise as `encode`."""
        missing = -1 if self.unknown is None else self.unknown
        found = map(self._index.get, words, itertools.repeat(missing))
        return self._listed(np.fromiter(found, np.int32, len(words)), words, unknown)

    def subwords(self, text: str) -> list[str]:
        """The subwords of a text."""
        return [self.symbols[i] for i in self.encode(text).tolist()]

    def ids_or_minus_1(self, symbols: Sequence[str]) -> Ids:
        """The ids of characters (as one text) or words; -1 for those that are not listed.

        >>> Vocabulary.from_text("ab").ids_or_minus_1("abc").tolist()
        [0, 1, -1]
        """
        if self.kind == "char" and isinstance(symbols, str):
            points = np.frombuffer(symbols.encode("utf-32-le", "surrogatepass"), dtype="<u4")
            ids = self._table[np.minimum(points, len(self._table) - 1)]
            return np.where(ids == self.unknown, np.int32(-1), ids) if self.unknown is not None else ids
        return np.fromiter(map(self._index.get, symbols, itertools.repeat(-1)), np.int32, len(symbols))

    def unlisted(self, text: str) -> list[str]:
        """The characters or words of a text that are not listed, each once.

        >>> Vocabulary.from_text("ab").unlisted("cabcd")
        ['c', 'd']
        """
        symbols = split_words(text) if self.kind == "word" else text
        return [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._index]

    def decode(self, ids: ArrayLike) -> str:
        """The text of these ids; DataError for an id that no symbol has."""
        array = np.asarray(ids)
        if array.size == 0:
            return ""
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise DataError(f"ids are one row of integers, got {array.dtype} of shape {array.shape}")
        if array.min() < 0 or array.max() >= len(self):
            raise DataError(
                f"ids from {array.min()} to {array.max()}: this vocabulary has 0 to {len(self) - 1}; "
                f"were they made with another one?"
            )
        found = [self.symbols[i] for i in array.tolist()]
        return join_words(found) if self.kind == "word" else "".join(found)

    def to_json(self) -> str:
        """The vocabulary as JSON text in ASCII, the inverse of `from_json`."""
        merges = {"merges": self.merges} if self.kind == "bpe" else {}
        return json.dumps({"kind": self.kind, "unknown": self.unknown, "symbols": self.symbols, **merges})

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """The vocabulary that `to_json` wrote; DataError if it is anything else.

        >>> Vocabulary.from_json(Vocabulary(("a", "b")).to_json())
        Vocabulary(symbols=('a', 'b'), kind='char', unknown=None)
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"the saved vocabulary is not JSON: {error}") from None
        if not isinstance(content, dict) or set(content) - {"merges"} != {"kind", "unknown", "symbols"}:
            raise DataError("the saved vocabulary should be an object with kind, unknown and symbols")
        merges = content.get("merges", [])
        for name, items in (("symbols", content["symbols"]), ("merges", merges)):
            if not isinstance(items, list):
                raise DataError(f"the {name} of the saved vocabulary should be a list")
        pairs = tuple(tuple(pair) if isinstance(pair, list) else pair for pair in merges)
        return cls(tuple(content["symbols"]), content["kind"], content["unknown"], pairs)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    @cached_property
    def _subword_ids(self) -> Callable[[str], list[int]]:
        return subwords_of(self.symbols, self.merges)

    @cached_property
    def _table(self) -> Ids:
        """Ids by code point; the last entry answers for all code points above."""
        listed = [(ord(symbol), i) for i, symbol in enumerate(self.symbols) if i != self.unknown]
        missing = -1 if self.unknown is None else self.unknown
        table = np.full(max((point for point, _ in listed), default=0) + 2, missing, np.int32)
        for point, i in listed:
            table[point] = i
        return table

    def _listed(self, ids: Ids, symbols: Sequence[str], unknown: Policy) -> Ids:
        """The ids without the -1 of unlisted symbols, or an error that says which these are."""
        missing = ids < 0
        if not missing.any():
            return ids
        if unknown == "skip":
            return np.ascontiguousarray(ids[~missing])
        places = np.flatnonzero(missing)
        first = int(places[0])
        line = 1 + sum(symbol.count("\n") for symbol in symbols[:first])
        unseen = list(dict.fromkeys(symbols[i] for i in places.tolist()))
        shown = ", ".join(map(repr, unseen[:5])) + (f" and {len(unseen) - 5} more" if len(unseen) > 5 else "")
        noun = self.noun
        them = "it" if len(unseen) == 1 else "them"
        raise DataError(
            f"{shown} not among the {len(self)} {noun}s of the vocabulary (first at {noun} {first + 1}, line {line}): "
            f"take {them} out, skip what is unknown, or train on text that has {them}"
        )


def _most_frequent(counts: Counter[str], size: int) -> list[str]:
    return sorted(counts, key=lambda symbol: (-counts[symbol], symbol))[:size]


def _check_symbols(symbols: tuple[Any, ...], kind: Any, unknown: Any) -> None:
    """Refuse what could not have been made from a text, since vocabularies are also read from files."""
    if not isinstance(kind, str) or kind not in NOUNS:
        raise DataError(f"a vocabulary is of characters ('char'), words ('word') or subwords ('bpe'), not {kind!r}")
    if not symbols or not all(isinstance(symbol, str) and symbol for symbol in symbols):
        raise DataError("a vocabulary needs symbols, none of them empty, each of them text")
    if len(set(symbols)) < len(symbols):
        twice, _ = Counter(symbols).most_common(1)[0]
        raise DataError(f"the vocabulary lists {twice!r} twice")
    if unknown is not None and not (
        type(unknown) is int and 0 <= unknown < len(symbols) and symbols[unknown] == UNKNOWN
    ):
        raise DataError(f"unknown should be the id of {UNKNOWN!r} in the vocabulary, got {unknown!r}")
    if kind == "char":
        for i, symbol in enumerate(symbols):
            if len(symbol) != 1 and i != unknown:
                raise DataError(f"symbol {i} of a vocabulary of characters is {symbol!r}")


def _check_merges(symbols: tuple[str, ...], kind: Kind, merges: Any) -> None:
    if merges and kind != "bpe":
        raise DataError("only a vocabulary of subwords has merges")
    known = set(symbols)
    for pair in merges:
        right = isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
        if not right or not {*pair, "".join(pair)} <= known:
            raise DataError(f"a merge of subwords is a pair of symbols that join to another symbol, not {pair!r}")
