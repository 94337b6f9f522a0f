"""Where texts come from: a name that is built in, files, or a download that is checked against its hash."""

from __future__ import annotations

import functools
import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minidl.data.sources import examples, generated
from minidl.data.sources.encoding import decode
from minidl.system.errors import DataError, suggest_file
from minidl.system.reading import Told

Source = str | Mapping[str, str]


def read_text(source: Source | Sequence[Source], folder: Path, encoding: str | None = None) -> str:
    """The text of a source, or the texts of several with a newline between.

    A source is a built-in name (`pydoc_topics`, or a table of `minidl.data.sources.examples`), a path (relative ones
    start at `folder`), or a mapping of `url` and `sha256`. Files are UTF-8 or UTF-16, or of the encoding that
    is named, and may be compressed by gzip; a byte order mark is dropped, CRLF becomes LF.
    Raises DataError for what is missing, unreadable, of another encoding or blank.

    >>> "generator" in read_text("pydoc_topics", Path())
    True
    """
    several = [source] if isinstance(source, (str, Mapping)) else source
    if not several:
        raise DataError("the list of sources is empty: name at least one text")
    return "\n".join(_read_one(item, folder, encoding) for item in several)


def _read_one(source: Source, folder: Path, encoding: str | None) -> str:
    if isinstance(source, str) and source in _BUILT_IN:
        return _built_in(source)
    name, raw = read_bytes(source, folder)
    return decode_text(raw, name, encoding)


def read_bytes(source: Source, folder: Path) -> tuple[str, bytes]:
    """The name of one source, for messages and by whose ending its format is known, and its bytes, unpacked."""
    if isinstance(source, Mapping):
        name, raw = source.get("url", ""), _download(source)
    elif source in _BUILT_IN:
        return source, _built_in(source).encode()
    else:
        path = find_file(source, folder)
        name, raw = str(path), read_file(path)
    if not name.endswith(".gz"):
        return name, raw
    try:
        return name.removesuffix(".gz"), gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is not a sound gzip file: {error}") from None


def open_source(source: Source, folder: Path) -> tuple[str, Told]:
    """As `read_bytes`, but for the bytes, which come as a file that is unpacked while it is read."""
    if isinstance(source, Mapping) or source in _BUILT_IN:
        name, raw = read_bytes(source, folder)
        kept = io.BytesIO(raw)
        return name, Told(kept, name, kept.tell, len(raw))
    path = find_file(source, folder)
    try:
        if path.suffix == ".gz":
            packed: Any = gzip.GzipFile(path)
            return (name := str(path.with_suffix(""))), Told(packed, name, packed.fileobj.tell, path.stat().st_size)
        disk = io.FileIO(path)
        return (name := str(path)), Told(disk, name, disk.tell, path.stat().st_size)
    except OSError as error:
        raise unreadable(path, error) from None


def find_file(name: str, folder: Path) -> Path:
    """The path of an existing file, `name` being absolute or relative to `folder`."""
    path = Path(os.path.abspath(folder / name))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        raise DataError(_no_file(name, path)) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if stat.S_ISDIR(mode):
        files = sorted(entry for entry in _entries(path) if (path / entry).is_file())
        example = f", such as {os.path.join(name, files[0])!r}" if files else ""
        raise DataError(f"{path} is a folder: name a file in it{example}")
    if not stat.S_ISREG(mode):
        raise DataError(f"{path} is neither a file nor a link to one")
    return path


def read_file(path: Path) -> bytes:
    """The bytes of a file; DataError says why it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> DataError:
    """What the system said when it was asked for a file."""
    return DataError(f"{path} cannot be read: {error.strerror or error}")


def decode_text(raw: bytes, name: str, encoding: str | None = None) -> str:
    """A text without a byte order mark, lines ending in LF; `name` says in errors whose bytes these are."""
    text = decode(raw, name, encoding).replace("\r\n", "\n")
    if not text.strip():
        raise DataError(f"{name} {'has only white space' if text else 'is empty'}: there is nothing to learn from")
    return text


def _download(source: Mapping[str, str]) -> bytes:
    if set(source) != {"url", "sha256"}:
        raise DataError(
            f"a download is given by url and sha256, this one by {', '.join(source) or 'nothing'}: the hash, as "
            f"sha256sum prints it, makes sure that every run sees the same text"
        )
    from minidl.data.sources.download import fetch  # brings in urllib and ssl, which most runs do without

    return fetch(source["url"], source["sha256"])


@functools.cache
def _built_in(name: str) -> str:
    """A text that is built in; drawn or gathered once, which takes a second for some, and less than 2 MB."""
    return _BUILT_IN[name]()


def _pydoc_topics() -> str:
    """What `help()` says of Python's keywords and concepts, in the order of their names."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError("this Python comes without pydoc_data: name a text file instead of pydoc_topics") from None
    return "\n".join(topics[name] for name in sorted(topics))


_BUILT_IN: dict[str, Callable[[], str]] = {
    "pydoc_topics": _pydoc_topics,
    "unicode_names": examples.unicode_names,
    "python_tokens": examples.python_tokens,
    "lorenz": examples.lorenz,
    "messages": generated.messages,
    "sensors": generated.sensors,
    "demand": generated.demand,
    "entities": generated.entities,
    "written_dates": examples.dates,
}


def _no_file(name: str, path: Path) -> str:
    if not path.parent.is_dir():
        return f"no file at {path}: there is no folder {path.parent} (it was given as {name!r})"
    known = [*_entries(path.parent), *_BUILT_IN]
    return f"no file at {path} (it was given as {name!r}){suggest_file(path.name, known)}"


def _entries(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
