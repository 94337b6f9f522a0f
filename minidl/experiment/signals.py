"""Signals that end a run: a first one after the present step, with everything saved; a second one at once.

Before the first step is done there is nothing to save, and kernels may be compiled for half a minute: the first signal
ends the run at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from minidl.trainer import Trainer

ENDINGS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
EXIT_CODES = {"interrupted": 130, "terminated": 143}
STDERR = 2
AGAIN = 0.3  # seconds


@contextlib.contextmanager
def stopping(trainer: Trainer) -> Iterator[None]:
    """While this lasts, a signal stops the trainer; one that is to end it at once raises KeyboardInterrupt.

    A signal that the process was told to ignore, as by nohup, stays ignored.
    """

    first = trainer.progress.step

    def on_signal(number: int, _frame: Any) -> None:
        leaves = trainer.stop_reason in EXIT_CODES or trainer.progress.step == first
        trainer.stop(ENDINGS[signal.Signals(number)])
        if trainer.progress.step == first:
            _say(f"\nminidl: {trainer.stop_reason}: before a step was done\n")
        if leaves:
            _leave()
        _say(f"\nminidl: {trainer.stop_reason}: finishing this step and saving (again to leave at once)\n")

    hook, alarm = sys.unraisablehook, signal.getsignal(signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in ENDINGS}
    heard = [number for number in ENDINGS if before[number] != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGALRM) is _on_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)
            sys.unraisablehook = hook
        for number in heard:
            signal.signal(number, before[number])


def _leave() -> NoReturn:
    """Raise KeyboardInterrupt, and again until it is heard: callbacks from C and `__del__` ignore what they raise."""
    sys.unraisablehook = _say_unraisable
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
    raise KeyboardInterrupt


def _on_alarm(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _say_unraisable(unraisable: Any) -> None:
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def _say(text: str) -> None:
    # Not by way of sys.stderr, which may be in the middle of a line, and must not be entered twice.
    with contextlib.suppress(OSError):
        os.write(STDERR, text.encode())
