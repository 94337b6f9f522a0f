"""Signals that end a run: a first one after the present step, with everything saved; a second one at once.

Before the first step is done there is nothing to save, and kernels may be compiled for half a minute: the first signal
ends the run at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

from minidl.system.handlers import handling
from minidl.system.persistent_signals import until_heard
from minidl.training.trainer import Trainer

ENDINGS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "terminated"}
EXIT_CODES = {"interrupted": 130, "terminated": 143}
STDERR = 2


@contextlib.contextmanager
def stopping(trainer: Trainer) -> Iterator[None]:
    """While this lasts, a signal stops the trainer; one that is to end it at once raises KeyboardInterrupt.

    A signal that the process was told to ignore, as by nohup, stays ignored.
    """
    first = trainer.progress.step
    heard_before: list[int] = []

    def on_signal(number: int, _frame: Any) -> None:
        if heard_before:
            raise KeyboardInterrupt
        heard_before.append(number)
        trainer.stop(ENDINGS[signal.Signals(number)], hurried=True)
        if trainer.progress.step == first:
            _say(f"\nminidl: {trainer.stop_reason}: before a step was done\n")
            raise KeyboardInterrupt
        _say(f"\nminidl: {trainer.stop_reason}: finishing this step and saving (again to leave at once)\n")

    with handling(dict.fromkeys(ENDINGS, on_signal)), until_heard():
        yield


def passing_on(trainer: Trainer) -> None:
    """A process that is not the first ends when that one says so, which hears of a signal in the next step."""

    def on_signal(number: int, _frame: Any) -> None:
        trainer.stop(ENDINGS[signal.Signals(number)])

    for number in ENDINGS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, on_signal)


def _say(text: str) -> None:
    # Not by way of sys.stderr, which may be in the middle of a line, and must not be entered twice.
    with contextlib.suppress(OSError):
        os.write(STDERR, text.encode())
