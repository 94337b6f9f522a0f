"""Handlers of signals for a while."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Handler = Callable[[int, Any], Any]


@contextlib.contextmanager
def handling(handlers: Mapping[int, Handler]) -> Iterator[None]:
    """While this lasts, these handlers are called; a signal that is ignored, as by nohup, stays ignored.

    >>> heard = []
    >>> with handling({signal.SIGUSR1: lambda number, frame: heard.append(number)}):
    ...     signal.raise_signal(signal.SIGUSR1)
    >>> heard == [signal.SIGUSR1]
    True
    """
    heard = {number: handler for number, handler in handlers.items() if signal.getsignal(number) != signal.SIG_IGN}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
