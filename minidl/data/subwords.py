"""Text as subwords: pieces of words that occur often, learnt by byte-pair encoding and read by the rule it learnt.

A text is cut into pieces first, which no subword crosses:

    a word                letters, digits and underscores, with the space before it: " the"
    punctuation marks     a run of them, with the space before it: " (", "..."
    white space           what is left of it

Nothing is lost: the pieces of a text, and the subwords of each, join to that text. Gage 1994; Sennrich, Haddow and
Birch 2016, section 3.2; the pieces are those of Radford et al. 2019, without its rules for English. The package
`tokenizers` (the extra `subwords`) does the counting.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from minidl.data.words import UNKNOWN
from minidl.system.errors import UsageError

Merges = tuple[tuple[str, str], ...]

SIZE = 2000  # subwords, where no size is asked for

_PIECE = re.compile(r" ?\w+| ?[^\w\s]+|\s+(?=\s\S)|\s+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def split_pieces(text: str) -> list[str]:
    r"""What no subword crosses.

    >>> split_pieces("if  x:\n    go(on)")
    ['if', ' ', ' x', ':', '\n   ', ' go', '(', 'on', ')']
    """
    return _PIECE.findall(text)


def learn_subwords(pieces: Iterable[str], size: int) -> tuple[tuple[str, ...], Merges]:
    """The symbols, "<unk>" first, then characters, then pairs by how often they stand side by side; and these pairs.

    size: of the vocabulary at most, "<unk>" included; the rarest characters are left out where it is too small for all.
    """
    package = _package()
    tokenizer = package.Tokenizer(package.models.BPE(unk_token=UNKNOWN))
    trainer = package.trainers.BpeTrainer(
        vocab_size=size, limit_alphabet=size - 1, special_tokens=[UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(map(_as_utf8, pieces), trainer)
    numbers = tokenizer.get_vocab()
    # A pair may be learnt of what another pair already spells: the symbol is one, and both pairs lead to it.
    return tuple(sorted(numbers, key=numbers.__getitem__)), _merges(tokenizer)


def subwords_of(symbols: tuple[str, ...], merges: Merges) -> Callable[[str], list[int]]:
    """A function that gives the ids of a piece: pairs are joined in the order in which they were learnt."""
    package = _package()
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    model = package.models.BPE(numbers, list(merges), unk_token=UNKNOWN)
    return cache(lambda piece: [token.id for token in model.tokenize(_as_utf8(piece))])


def _merges(tokenizer: Any) -> Merges:
    """The pairs that were learnt, which the package tells only as JSON."""
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return tuple((pair[0], pair[1]) for pair in pairs)


def _as_utf8(piece: str) -> str:
    """A lone half of a surrogate pair, which is no character, becomes one that stands for it."""
    return piece if piece.isascii() else _SURROGATE.sub("\ufffd", piece)


def _package() -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads warn when a process is forked later
    try:
        import tokenizers
    except ModuleNotFoundError:
        raise UsageError("subwords (tokens: bpe) need tokenizers: pip install 'minidl[subwords]'") from None
    return tokenizers
