"""Signals that are heard: what their handlers raise reaches the code that can end.

Python prints and forgets what is raised in a callback from C or in `__del__`, and a signal may arrive there.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from minidl.system.handlers import Handler, handling

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = 0.3  # seconds


@contextlib.contextmanager
def until_heard() -> Iterator[None]:
    """While this lasts, what the handlers of these signals raise is raised again, until it ends this.

    >>> import os
    >>> with contextlib.suppress(KeyboardInterrupt), until_heard():
    ...     os.kill(os.getpid(), signal.SIGINT)
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hook, alarm = sys.unraisablehook, signal.getsignal(signal.SIGALRM)
    before = {number: handler for number in HEARD if callable(handler := signal.getsignal(number))}
    with handling({number: _persistent(handler) for number, handler in before.items()}):
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGALRM) != alarm:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, alarm)
                sys.unraisablehook = hook


def _persistent(handler: Handler) -> Handler:
    """The handler, and what it raises, every now and then."""

    def on_signal(number: int, frame: Any) -> None:
        try:
            handler(number, frame)
        except BaseException as error:
            _persist(type(error))
            raise

    return on_signal


def _persist(error: type[BaseException]) -> None:
    def again(_number: int, _frame: Any) -> NoReturn:
        raise error

    def say_others(unraisable: Any) -> None:
        if unraisable.exc_type is not error:
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = say_others
    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
