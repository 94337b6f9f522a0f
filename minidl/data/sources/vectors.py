"""Files of trained vectors of words as text: GloVe, word2vec, fastText (`.vec`), packed by gzip or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.data.sources.numbers import is_number
from minidl.data.sources.source import find_file, unreadable
from minidl.system.errors import DataError

Array = NDArray[Any]


def read_vectors(file: str, folder: Path, symbols: Sequence[str], width: int) -> dict[str, Array]:
    """The vectors (width,) of those symbols that a file has.

    A line is a word and its numbers; a first line of two integers, as word2vec and fastText have it, says how many
    there are. A symbol takes the vector of its own spelling, or else that without the spaces around it, or else that in
    small letters. The file is read line by line: it may be larger than memory. DataError for what is no such file, for
    vectors of another width, and where no symbol is found. Pennington et al. 2014; Mikolov et al. 2013.
    """
    path = find_file(file, folder)
    spellings = {symbol: list(dict.fromkeys((symbol, symbol.strip(), symbol.strip().lower()))) for symbol in symbols}
    wanted = {spelling.encode() for each in spellings.values() for spelling in each if spelling}
    try:
        found = dict(_wanted(path, _lines(path), wanted, width))
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error if isinstance(error, OSError) else OSError(str(error))) from None
    vectors: dict[str, Array] = {}
    for symbol, each in spellings.items():
        spelling = next((spelling.encode() for spelling in each if spelling.encode() in found), None)
        if spelling is not None:
            vectors[symbol] = found[spelling]
    if not vectors:
        shown = ", ".join(map(repr, symbols[:5]))
        raise DataError(f"{path} has a vector for none of the {len(symbols)} symbols ({shown}, ...)")
    return vectors


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
        yield from file


def _wanted(path: Path, lines: Iterable[bytes], wanted: set[bytes], width: int) -> Iterator[tuple[bytes, Array]]:
    """Words of a file that are asked for, with their vectors; a word may have spaces in it."""
    for number, line in enumerate(lines, 1):
        if number == 1 and _is_header(line):
            if int(line.split()[1]) != width:
                raise DataError(_other_width(path, int(line.split()[1]), width))
            continue
        word, *numbers = line.rstrip().rsplit(b" ", width)
        if number == 1 and (len(numbers) != width or is_number(word.rpartition(b" ")[2])):
            raise DataError(_other_width(path, len(line.split()) - 1, width))
        if word not in wanted:
            continue
        try:
            vector = np.array([float(text) for text in numbers])
        except ValueError:
            vector = np.zeros(0)
        if vector.shape != (width,) or not np.isfinite(vector).all():
            shown = word.decode(errors="replace")
            raise DataError(f"{path}:{number}: {shown!r} should be followed by {width} numbers")
        yield word, vector


def _is_header(line: bytes) -> bool:
    parts = line.split()
    return len(parts) == 2 and all(part.isdigit() for part in parts)


def _other_width(path: Path, found: int, width: int) -> str:
    if found < 1:
        return f"{path} is no file of vectors: a line is a word and its numbers, with spaces between"
    return f"{path} has vectors of {found} numbers, and rows of {width} are to be filled: set units: {found}"
