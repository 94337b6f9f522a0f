"""Signals that end a command: an interrupt is Python's KeyboardInterrupt, and a termination is raised as well."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

INTERRUPTED, TERMINATED = 130, 143  # exit codes


class Terminated(BaseException):
    """The process was told to end."""


@contextlib.contextmanager
def heeding_termination() -> Iterator[None]:
    """While this lasts, SIGTERM raises Terminated; but not where it is ignored, or somebody else heeds it."""
    is_free = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if not is_free or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise(_number: int, _frame: Any) -> None:
    raise Terminated
