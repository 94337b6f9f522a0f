"""Tables in files: the format is known by the ending of the name, and read into rows."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minidl.data.sources import conll, json_lines, npz_rows, parquet, ucr, wav
from minidl.data.sources.csv_file import read_pieces, read_rows
from minidl.data.sources.encoding import LOOKED_AT, decode, find_encoding, not_decoded
from minidl.data.sources.lines import read_lines
from minidl.data.sources.rows import Rows
from minidl.data.sources.source import Source, is_built_in, open_file, read_bytes
from minidl.system.errors import DataError
from minidl.system.reading import Told

FORMATS: dict[str, Callable[[str, str], Rows]] = {
    ".jsonl": json_lines.read_json_lines,
    ".ndjson": json_lines.read_json_lines,
    ".json": json_lines.read_json_lines,
    ".ts": ucr.read_ts,
    ".arff": ucr.read_arff,
    ".conll": conll.read_conll,
    ".conllu": conll.read_conllu,
    ".bio": conll.read_conll,
    ".iob": conll.read_conll,
}
BINARY: dict[str, Callable[[bytes, str], Rows]] = {
    ".parquet": parquet.read_parquet,
    ".arrow": parquet.read_arrow,
    ".feather": parquet.read_arrow,
    ".npz": npz_rows.read_npz_rows,
    ".wav": wav.read_wav,
}
DELIMITED = (".csv", ".tsv", ".tab")


@dataclass(frozen=True)
class Dialect:
    """How the text of a table is written; what is None is found."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None


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
    dialect = dialect or Dialect()
    name, raw = read_bytes(source, folder)
    ending = Path(name).suffix.lower()
    if lines and (ending in BINARY or ending in FORMATS or ending in DELIMITED):
        raise DataError(
            f"{name} is a table: name the column of the texts with text, as in {{type: documents, text: name}}"
        )
    if lines:
        return read_lines(_whole(raw, name, dialect.encoding), name)
    if ending in BINARY:
        return BINARY[ending](raw, name)
    if ending in FORMATS:
        return FORMATS[ending](_whole(raw, name, dialect.encoding), name)
    digest = hashlib.sha256(raw).hexdigest()
    text = io.TextIOWrapper(Told(raw, name), find_encoding(raw, dialect.encoding), newline="")
    delimiter = "\t" if ending in (".tsv", ".tab") and dialect.delimiter is None else dialect.delimiter
    try:
        return read_rows(text, name, delimiter, wanted=wanted, only=only, digest=digest, decimal=dialect.decimal)
    except UnicodeDecodeError:
        raise _undecoded(raw, name, dialect.encoding) from None


def read_table_in_pieces(
    source: Source, folder: Path, dialect: Dialect, size: int, *, wanted: Sequence[str] = (), lines: bool = False
) -> Iterator[Rows]:
    """As `read_table`, so many rows at a time: a CSV file on a disk is never in memory as a whole."""
    ending = "" if isinstance(source, Mapping) else Path(source.removesuffix(".gz")).suffix.lower()
    if lines or not isinstance(source, str) or ending in BINARY or ending in FORMATS or is_built_in(source):
        rows = read_table(source, folder, dialect, wanted=wanted, lines=lines)
        yield from (rows.take(range(at, min(at + size, len(rows)))) for at in range(0, len(rows), size))
        return
    delimiter = "\t" if ending in (".tsv", ".tab") and dialect.delimiter is None else dialect.delimiter
    name, file = open_file(source, folder)
    try:
        with file:
            encoding = find_encoding(file.peek(LOOKED_AT)[:LOOKED_AT], dialect.encoding)
            text = io.TextIOWrapper(file, encoding, newline="")
            yield from read_pieces(text, name, delimiter, size, wanted=wanted, decimal=dialect.decimal)
    except UnicodeDecodeError:
        raise _undecoded(read_bytes(source, folder)[1], name, dialect.encoding) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name} is not a sound gzip file: {error}") from None


def _undecoded(raw: bytes, name: str, encoding: str | None) -> DataError:
    """Where a text is not of its encoding: known only when it is decoded as a whole."""
    try:
        raw.decode(find_encoding(raw, encoding))
    except UnicodeDecodeError as error:
        return DataError(not_decoded(raw, name, error))
    return DataError(f"{name} is cut off in the middle of a character")


def _whole(raw: bytes, name: str, encoding: str | None) -> str:
    text = decode(raw, name, encoding).replace("\r\n", "\n")
    if not text.strip():
        raise DataError(f"{name} {'has only white space' if text else 'is empty'}: there is nothing to learn from")
    return text
