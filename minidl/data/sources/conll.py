"""CoNLL files: a token a line with its tags beside it, and a blank line between sentences."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Iterator

from minidl.data.sources.columns import PIECE, TextColumn
from minidl.data.sources.rows import Rows
from minidl.system.errors import DataError

FORM, UPOS, UNIVERSAL_COLUMNS = 1, 3, 10  # of Universal Dependencies
Sentence = tuple[int, list[list[str]]]  # the line where it begins, and the cells of its lines


def read_conll(text: Iterable[str], name: str, size: int = PIECE) -> Iterator[Rows]:
    r"""`text` and `tags`: the first and the last column of each sentence, joined by spaces; so many at a time.

    >>> text = ["Bonn B-LOC\n", "is O\n", "\n", "Yes O\n"]
    >>> Rows.joined(read_conll(text, "x.conll")).columns
    {'text': ['Bonn is', 'Yes'], 'tags': ['B-LOC O', 'O']}
    """
    return _pieces(_sentences(text, name, 2), name, size, 0, -1)


def read_conllu(text: Iterable[str], name: str, size: int = PIECE) -> Iterator[Rows]:
    """`text` and `tags`: the forms and universal parts of speech of CoNLL-U."""
    return _pieces(_sentences(text, name, UNIVERSAL_COLUMNS), name, size, FORM, UPOS)


def _pieces(sentences: Iterator[Sentence], name: str, size: int, token: int, tag: int) -> Iterator[Rows]:
    begin = 0
    while piece := list(itertools.islice(sentences, size)):
        begin = piece[-1][0]
        texts, tags = (TextColumn(" ".join(line[k] for line in lines) for _, lines in piece) for k in (token, tag))
        yield Rows(name, {"text": texts, "tags": tags}, array("I", (line for line, _ in piece)), "")
    if not begin:
        raise DataError(f"{name} has no sentences")


def _sentences(text: Iterable[str], name: str, least: int) -> Iterator[Sentence]:
    begin = 1
    sentence: list[list[str]] = []
    for number, line in enumerate(itertools.chain(text, [""]), 1):
        line = line.rstrip("\r\n")
        parts = _parts(line)
        if not parts:
            if sentence:
                yield begin, sentence
            begin, sentence = number + 1, []
        elif line.startswith("-DOCSTART-") or _is_beside(line, parts, least):
            begin += not sentence
        elif len(parts) < least:
            raise DataError(f"{name}:{number}: a line is a token and its tag, got {line[:60]!r}")
        else:
            sentence.append([part.replace(" ", "\u00a0") for part in parts])


def _parts(line: str) -> list[str]:
    return [part for part in line.split("\t") if part] if "\t" in line else line.split()


def _is_beside(line: str, parts: list[str], least: int) -> bool:
    """A comment, or a word of several tokens, of CoNLL-U."""
    return least == UNIVERSAL_COLUMNS and (line.startswith("#") or "-" in parts[0] or "." in parts[0])
