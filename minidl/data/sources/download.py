"""Downloads that are right or refused: checked against a hash, kept in the user's cache, whole or not at all.

Only http and https are spoken. A redirect may lead to neither another scheme nor from https back to http, and
a file larger than the limit is given up.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from minidl.system.errors import DataError, StorageError

_CHUNK = 1 << 16
_REDIRECTS = 10


_may_connect: ContextVar[bool] = ContextVar("may_connect", default=True)


@contextmanager
def without_connections() -> Iterator[None]:
    """While this lasts nothing is downloaded: for what files say that are not the user's own experiment.

    >>> with without_connections():  # doctest: +ELLIPSIS
    ...     fetch("https://example.org", "0" * 64)
    Traceback (most recent call last):
    minidl.system.errors.DataError: https://example.org: is not in the cache, and no connection is opened because ...
    """
    token = _may_connect.set(False)
    try:
        yield
    finally:
        _may_connect.reset(token)


def fetch(url: str, sha256: str, limit: int = 1 << 30, timeout: float = 30.0) -> bytes:
    """The bytes at `url`, from the cache if they were fetched before.

    `sha256`: their hash, 64 hexadecimal digits. `limit`: bytes at most. `timeout`: seconds without an answer.
    Raises DataError if the download fails, is cut off, too large, or has another hash; StorageError if the
    cache (`$XDG_CACHE_HOME/minidl`, or `~/.cache/minidl`) cannot be written.
    """
    if _scheme(url) not in ("http", "https"):
        raise DataError(f"{url}: downloads are made by http or https only")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise DataError(f"{url}: sha256 should be 64 hexadecimal digits, got {sha256!r}")
    cached = cache_folder() / sha256.lower()
    with suppress(OSError):
        raw = cached.read_bytes()
        if hashlib.sha256(raw).hexdigest() == sha256.lower():
            return raw
    if not _may_connect.get():
        raise DataError(
            f"{url}: is not in the cache, and no connection is opened because of what a trained model or a run folder "
            "says: run the experiment that names it, or name the data with --data"
        )
    raw = _download(url, limit, timeout)
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256.lower():
        raise DataError(
            f"{url}: the {len(raw)} bytes have sha256 {found}, expected {sha256.lower()}: the file there has "
            f"changed, or the hash belongs to another one"
        )
    _keep(raw, cached)
    return raw


def cache_folder() -> Path:
    """Where downloads are kept, by their hash."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minidl"
    except RuntimeError:  # as in a container whose user is unknown to it
        raise StorageError("there is no home folder to keep downloads in: set XDG_CACHE_HOME") from None


def _download(url: str, limit: int, timeout: float) -> bytes:
    try:
        with _open(url, timeout) as answer:
            declared = answer.headers.get("Content-Length", "")
            raw = b"".join(_chunks(answer, url, limit))
    except DataError:  # a ValueError too, but one of our own
        raise
    except URLError as error:
        raise DataError(f"{url}: no answer ({error.reason}): is the address right, is there a network?") from None
    except (OSError, HTTPException, ValueError) as error:
        raise DataError(f"{url}: the download broke off ({error or type(error).__name__}): try again") from None
    if declared.isdecimal() and len(raw) < int(declared):
        raise DataError(f"{url}: the download was cut off after {len(raw)} of {declared} bytes: try again")
    return raw


def _open(url: str, timeout: float) -> Any:
    """The answer to a request, redirects followed by our own rules."""
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor):
        opener.add_handler(handler())
    place = url
    for _ in range(_REDIRECTS):
        try:
            return opener.open(Request(place, headers={"User-Agent": "minidl"}), timeout=timeout)
        except HTTPError as error:
            error.close()
            location = error.headers.get("Location")
            if error.code not in (301, 302, 303, 307, 308) or location is None:
                raise DataError(f"{url}: the server answered {error.code} {error.reason}") from None
            place = _redirected(place, location)
    raise DataError(f"{url} redirects more than {_REDIRECTS} times: name the address of the file itself")


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    allowed = ("https",) if _scheme(url) == "https" else ("http", "https")
    if _scheme(target) not in allowed:
        raise DataError(f"{url} redirects to {target}, which is not {' or '.join(allowed)}: refused")
    return target


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


def _chunks(answer: IO[bytes], url: str, limit: int) -> Iterator[bytes]:
    size = 0
    while chunk := answer.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise DataError(f"{url}: more than {limit} bytes: fetch it by other means and name the file")
        yield chunk


def _keep(raw: bytes, path: Path) -> None:
    """Write a file whole or not at all: under another name first, renamed when it is on the disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix="download-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        raise StorageError(
            f"{path.parent}: the download cannot be kept ({error.strerror}): "
            f"free some space, or let XDG_CACHE_HOME name a folder that can be written"
        ) from None
