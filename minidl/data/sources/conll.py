"""CoNLL files: a token a line with its tags beside it, and a blank line between sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from minidl.data.sources.rows import Rows, TextColumn
from minidl.system.errors import DataError

FORM, UPOS, UNIVERSAL_COLUMNS = 1, 3, 10  # of Universal Dependencies


def read_conll(text: str, name: str) -> Rows:
    r"""`text` and `tags`: the first and the last column of each sentence, joined by spaces.

    >>> read_conll("Bonn B-LOC\nis O\n\nYes O\n", "x.conll").columns
    {'text': ['Bonn is', 'Yes'], 'tags': ['B-LOC O', 'O']}
    """
    return _rows(text, name, 0, -1, 2)


def read_conllu(text: str, name: str) -> Rows:
    """`text` and `tags`: the forms and universal parts of speech of CoNLL-U."""
    return _rows(text, name, FORM, UPOS, UNIVERSAL_COLUMNS)


def _rows(text: str, name: str, token: int, tag: int, least: int) -> Rows:
    texts, tags, lines = TextColumn(), TextColumn(), []
    for begin, sentence in _sentences(text, name, least):
        lines.append(begin)
        texts.extend([" ".join(parts[token] for parts in sentence)])
        tags.extend([" ".join(parts[tag] for parts in sentence)])
    if not lines:
        raise DataError(f"{name} has no sentences")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Rows(name, {"text": texts, "tags": tags}, lines, digest)


def _sentences(text: str, name: str, least: int) -> Iterator[tuple[int, list[list[str]]]]:
    begin = 1
    sentence: list[list[str]] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
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
