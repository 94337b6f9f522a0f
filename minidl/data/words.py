"""Text as words, and words as text again: the one rule by which word-level models read and write.

A token is one of
    a word                letters, digits and underscores, with the marks that combine with them (vowel signs, accents,
                          points) and joiners between them; apostrophes inside it included: don't
    a punctuation mark    repetitions of it, and one space before and after it, included: ", "  " ("  "``"
    a line break          with the indentation of the next line
    other white space     a run of it, where it is more than the one space between two words
One space between two words is understood, so "the cat, then" is the, cat, ", ", then. Nothing is lost:
`join_words(split_words(text)) == text` for every text, and any sequence of tokens joins to natural text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import pairwise

UNKNOWN = "<unk>"

# Published word corpora spell rare words "<unk>", set off by white space: it is one token, our own.
_UNKNOWN = r"(?<!\S)<unk>(?!\S)"
_JOINERS = "\u200c\u200d"  # between letters of Indic and Arabic scripts, and parts of an emoji
_SCRIPTS, _SELECTORS = range(0x300, 0x20000), range(0xE0100, 0xE01F0)  # where combining marks lie


@cache
def _token(ascii_only: bool) -> re.Pattern[str]:
    """The pattern of a token; it is faster where there are no marks to look for.

    Python's \\w has no combining marks, without which the words of most scripts fall to pieces.
    """
    marks = "" if ascii_only else "".join(f"{chr(a)}-{chr(b)}" for a, b in _mark_ranges()) + _JOINERS
    word = rf"\w[\w{marks}]*"
    after = f"[{marks}]*" if marks else ""
    return re.compile(
        rf"""  {_UNKNOWN}
            |  {word} (?: ['’] {word} )*
            |  \n [ \t]*
            |  [ ]? (?!{_UNKNOWN}) ([^\w\s]) \1* {after} [ ]?
            |  [^\S\n]+
        """,
        re.VERBOSE,
    )


def _mark_ranges() -> Iterator[tuple[int, int]]:
    """Where combining marks lie, as first and last code points."""
    points = [p for p in (*_SCRIPTS, *_SELECTORS) if unicodedata.category(chr(p))[0] == "M"]
    first = points[0]
    for point, following in pairwise([*points, -1]):
        if following != point + 1:
            yield first, point
            first = following


def split_words(text: str) -> list[str]:
    r"""The tokens of a text.

    >>> split_words("Don't go (yet), he said.\n  Stay")
    ["Don't", 'go', ' (', 'yet', ')', ', ', 'he', 'said', '.', '\n  ', 'Stay']
    """
    pieces = text.split(" ")
    if "" not in pieces and "".join(pieces).isalnum():  # nothing but words
        return pieces
    tokens: list[str] = []
    odd: list[str] = []  # pieces that are more than a word, one after the other
    inside = False
    for piece in pieces:
        if piece.isalnum():
            if odd:
                tokens += _between(" ".join(odd), inside, True)
                odd = []
            tokens.append(piece)
        else:
            inside = inside if odd else bool(tokens)
            odd.append(piece)
    return [*tokens, *_between(" ".join(odd), inside, False)] if odd else tokens


@lru_cache(maxsize=1 << 14)
def _between(text: str, before: bool, after: bool) -> tuple[str, ...]:
    """The tokens of a text that has a word and a space before it, or after it; no token reaches into such a word."""
    tokens = _match(f"{'a ' if before else ''}{text}{' a' if after else ''}")
    return tuple(tokens[before : len(tokens) - after])


def _match(text: str) -> list[str]:
    """The tokens of a text that is more than plain words."""
    tokens = [match.group() for match in _token(text.isascii()).finditer(text)]
    neighbours = zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False)
    return [token for before, token, after in neighbours if not (token == " " and _is_word(before) and _is_word(after))]


def join_words(tokens: Iterable[str]) -> str:
    """The text of these tokens, one space between two words.

    >>> join_words(["Don't", "go", " (", "yet", ")"])
    "Don't go (yet)"
    """
    pieces: list[str] = []
    after_word = False
    for token in tokens:
        word = _is_word(token)
        pieces.append(" " + token if word and after_word else token)
        after_word = word
    return "".join(pieces)


def _is_word(token: str) -> bool:
    return token == UNKNOWN or token[:1].isalnum() or token[:1] == "_"
