"""Signals that end a command: an interrupt is Python's KeyboardInterrupt, and a termination is raised as well."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from minidl.system.handlers import handling

ENDING = (signal.SIGTERM, signal.SIGHUP)
INTERRUPTED, TERMINATED = 130, 143  # exit codes


class Terminated(BaseException):
    """The process was told to end."""


@contextlib.contextmanager
def heeding_termination() -> Iterator[None]:
    """While this lasts, SIGTERM and SIGHUP (a terminal that is closed) raise Terminated.

    But not those that are ignored, as by nohup, or that have a handler already.
    """
    is_main = threading.current_thread() is threading.main_thread()
    free = [number for number in ENDING if is_main and signal.getsignal(number) == signal.SIG_DFL]
    with handling(dict.fromkeys(free, _raise)):
        yield


def _raise(_number: int, _frame: Any) -> None:
    raise Terminated
