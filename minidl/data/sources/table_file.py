"""Tables in files: the format is known by the ending of the name, and read into rows."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TextIO

from minidl.data.sources import conll, json_lines, npz_rows, parquet, ucr, wav
from minidl.data.sources.columns import PIECE
from minidl.data.sources.csv_file import read_pieces
from minidl.data.sources.encoding import LOOKED_AT, find_encoding, not_decoded
from minidl.data.sources.lines import read_lines
from minidl.data.sources.rows import Rows
from minidl.data.sources.source import Source, open_source, read_bytes, unreadable
from minidl.system.errors import DataError
from minidl.system.reading import Told

FORMATS: dict[str, Callable[[Iterable[str], str, int], Iterator[Rows]]] = {
    ".ts": ucr.read_ts,
    ".arff": ucr.read_arff,
    ".conll": conll.read_conll,
    ".conllu": conll.read_conllu,
    ".bio": conll.read_conll,
    ".iob": conll.read_conll,
}
BINARY: dict[str, Callable[[bytes, str], Rows]] = {
    ".npz": npz_rows.read_npz_rows,
    ".wav": wav.read_wav,
}
ARROW: dict[str, Callable[[BinaryIO, str, int, Sequence[str]], Iterator[Rows]]] = {
    ".parquet": parquet.read_parquet,
    ".arrow": parquet.read_arrow,
    ".feather": parquet.read_arrow,
}
JSON = (".jsonl", ".ndjson", ".json")
TABS = (".tsv", ".tab")
NO_TEXT = (*FORMATS, *BINARY, *ARROW, *JSON, *TABS, ".csv")


@dataclass(frozen=True)
class Dialect:
    """How the text of a table is written; what is None is found."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Asked:
    """What is asked for of a file: so many rows at a time, and as `read_table` says. keys: columns, where known."""

    dialect: Dialect
    size: int
    wanted: Sequence[str] = ()
    only: bool = False
    lines: bool = False
    keys: Sequence[str] = ()


def read_table(
    source: Source,
    folder: Path,
    dialect: Dialect | None = None,
    *,
    wanted: Sequence[str] = (),
    only: bool = False,
    lines: bool = False,
) -> Rows:
    """The rows of a source: CSV and its dialects, JSON lines, Parquet, Arrow, .ts, .arff, CoNLL, or .gz of these.

    wanted: columns that will be asked for, by which the delimiter is found. only: whether to keep these alone. lines:
    whether the source is plain text, and each line a row.
    """
    asked = Asked(dialect or Dialect(), PIECE, wanted, only, lines)
    with _opened(source, folder, asked.dialect) as (name, file):
        if _ending(name) in ARROW:  # read in no order: its hash is taken before
            while file.read1(1 << 20):
                pass
            file.seek(0)
        rows = Rows.joined(_pieces(file, name, asked))
        return replace(rows, digest=file.hash.hexdigest())


def read_table_in_pieces(
    source: Source,
    folder: Path,
    dialect: Dialect,
    size: int,
    *,
    wanted: Sequence[str] = (),
    lines: bool = False,
) -> Iterator[Rows]:
    """As `read_table`, so many rows at a time: no file but .npz and .wav is ever in memory as a whole."""
    asked = Asked(dialect, size, wanted, lines=lines)
    with _opened(source, folder, dialect) as (name, file):
        if _ending(name) in JSON and not lines:
            with _text(file, dialect) as text:
                asked = replace(asked, keys=json_lines.all_columns(text, name))
    with _opened(source, folder, dialect) as (name, file):
        yield from _pieces(file, name, asked)


@contextlib.contextmanager
def _opened(source: Source, folder: Path, dialect: Dialect) -> Iterator[tuple[str, Told]]:
    """The name of a source and its file; DataError for what cannot be read of it."""
    name, file = open_source(source, folder)
    try:
        with file:
            yield name, file
    except UnicodeDecodeError:
        raise _undecoded(read_bytes(source, folder)[1], name, dialect.encoding) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name}.gz is not a sound gzip file: {error}") from None
    except OSError as error:
        raise unreadable(Path(name), error) from None


def _pieces(file: Told, name: str, asked: Asked) -> Iterator[Rows]:
    ending = _ending(name)
    if asked.lines and ending in NO_TEXT:
        raise DataError(
            f"{name} is a table: name the column of the texts with text, as in {{type: documents, text: name}}"
        )
    if ending in BINARY:
        rows = BINARY[ending](file.read(), name)
        yield from (rows.between(at, min(at + asked.size, len(rows))) for at in range(0, len(rows), asked.size))
    elif ending in ARROW:
        yield from ARROW[ending](file, name, asked.size, asked.wanted)
    else:
        by_line = asked.lines or ending in FORMATS
        with _text(file, asked.dialect, newline="\n" if by_line else "") as text:
            yield from _of_text(text, name, ending, asked)


def _of_text(text: TextIO, name: str, ending: str, asked: Asked) -> Iterator[Rows]:
    if asked.lines:
        yield from read_lines(text, name, asked.size)
    elif ending in FORMATS:
        yield from FORMATS[ending](text, name, asked.size)
    elif ending in JSON:
        yield from json_lines.read_pieces(text, name, asked.size, columns=asked.keys, wanted=asked.wanted)
    else:
        dialect = asked.dialect
        delimiter = "\t" if ending in TABS and dialect.delimiter is None else dialect.delimiter
        yield from read_pieces(
            text, name, delimiter, asked.size, wanted=asked.wanted, only=asked.only, decimal=dialect.decimal
        )


def _text(file: Told, dialect: Dialect, newline: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(file, find_encoding(file.peek(LOOKED_AT)[:LOOKED_AT], dialect.encoding), newline=newline)


def _ending(name: str) -> str:
    return Path(name).suffix.lower()


def _undecoded(raw: bytes, name: str, encoding: str | None) -> DataError:
    """Where a text is not of its encoding: known only when it is decoded as a whole."""
    try:
        raw.decode(find_encoding(raw, encoding))
    except UnicodeDecodeError as error:
        return DataError(not_decoded(raw, name, error))
    return DataError(f"{name} is cut off in the middle of a character")
