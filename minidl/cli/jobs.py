"""One command carried out by several processes: each takes part as if it had been started by hand."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from minidl.system.handlers import handling
from minidl.system.termination import INTERRUPTED, TERMINATED

Command = Callable[[Sequence[str]], int]  # a function of a module, which the processes import
SIGNALS = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED, signal.SIGHUP: TERMINATED}


def carry_out_in(jobs: int, command: Command, words: Sequence[str]) -> int:
    """A command with these words in so many processes, to the end of all; the first exit code that is not 0.

    What stdout would show is left to the caller. A signal goes on to each process, which decides when to end.
    """
    context = multiprocessing.get_context("spawn")  # a fork would keep the threads of the BLAS that NumPy has begun
    processes = [context.Process(target=_take_part, args=(command, list(words), part, jobs)) for part in range(jobs)]
    received: list[int] = []

    def pass_on(number: int, _frame: Any) -> None:
        received.append(number)
        for process in processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, number)

    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # also in the processes, until they can hear
    with handling(dict.fromkeys(SIGNALS, pass_on)):
        try:
            for process in processes:
                process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for process in processes:
            process.join()
    if received:
        return SIGNALS[signal.Signals(received[0])]
    codes = [process.exitcode or 0 for process in processes]
    return next((code if code > 0 else TERMINATED for code in codes if code), 0)  # below 0: a signal that killed it


def _take_part(command: Command, words: list[str], part: int, parts: int) -> None:
    """One of the processes, on its part of the processors; Ctrl-C on the terminal reaches it by way of the first."""
    os.setpgid(0, 0)
    if hasattr(os, "sched_setaffinity"):  # before NumPy is imported, whose BLAS begins a thread for each
        os.sched_setaffinity(0, _share(sorted(os.sched_getaffinity(0)), part, parts))
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  open as long as the process
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        code = command(words)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _share(processors: Sequence[int], part: int, parts: int) -> Sequence[int]:
    """One of as many equal parts as there are processes; where these are more, some have the same processor.

    >>> [_share([0, 1, 2, 3, 4], part, 2) for part in range(2)], [_share([0, 1], part, 3) for part in range(3)]
    ([[0, 2, 4], [1, 3]], [[0], [1], [0]])
    """
    return processors[part % len(processors) :: parts]
