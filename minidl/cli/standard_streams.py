"""The three streams as a command needs them: any character can be written, and training goes on when a reader ends."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, cast

from minidl.system.terminal import Escaping, escape, unescaped


def prepare() -> None:
    """Characters that an encoding lacks are replaced; a stream that was closed is empty, or goes nowhere.

    Messages, and results on a terminal, are escaped; results in a file or a pipe are what they are.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  open as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
            if name == "stderr" or (name == "stdout" and stream.isatty()):
                setattr(sys, name, Escaping(stream))


def discard(stream: Any) -> None:
    """Let a stream that cannot be written go nowhere, or the interpreter would try again when it ends."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: not a file of the system
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class Lasting:
    """A stream whose failure ends nothing: from then on it goes nowhere; `error` says why."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        with self._going_on():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with self._going_on():
            self._stream.flush()

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def lasting() -> Iterator[Lasting]:
    """Both streams made lasting; gives stdout."""
    out, err = Lasting(unescaped(sys.stdout)), Lasting(unescaped(sys.stderr))
    shown: Any = Escaping(out) if isinstance(sys.stdout, Escaping) else out
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(cast(Any, Escaping(err))):
        yield out


class ToStderr(logging.Handler):
    """Messages of minidl on what is stderr at that time, which a progress bar replaces by its own."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        with contextlib.suppress(OSError):
            print(f"minidl: {escape(record.getMessage())}", file=sys.stderr, flush=True)


def log_to_stderr() -> None:
    """Show warnings and notes of the package."""
    logger = logging.getLogger("minidl")
    if not any(isinstance(handler, ToStderr) for handler in logger.handlers):
        logger.addHandler(ToStderr())
        logger.setLevel(logging.INFO)
