"""Threads that share the rows of a batch: each computes its own sequences, in code that needs no interpreter.

Rows do not depend on each other, and what is summed over rows is summed in shares that do not depend on the threads
(`minidl.graph.sums`): all numbers are the same to the bit for any number of threads.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from minidl.system.blas import blas_libraries
from minidl.system.errors import UsageError

T = TypeVar("T")
MOST = 256  # threads that may be asked for
WORTH_A_THREAD = 2_000_000  # multiplications: below that, waking a thread takes longer than the work


class Team:
    """A number of threads: the one that calls, and workers that wait for their share.

    Nothing is left of a call that an interrupt breaks off, wherever it comes: shares belong to their call, and the next
    call waits until workers have done those that nobody waits for any more. Workers end with their team.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._broken_off = False
        self._tasks: list[SimpleQueue[_Share[Any] | None]] = [SimpleQueue() for _ in range(size - 1)]
        weakref.finalize(self, _dismiss, self._tasks).atexit = False
        for number, tasks in enumerate(self._tasks, start=1):
            try:
                threading.Thread(target=_work, args=(tasks,), name=f"minidl-{number}", daemon=True).start()
            except RuntimeError:  # for want of memory, or of processes that a user may have
                raise UsageError(f"the system starts no thread {number + 1} here: go on with threads: 1") from None

    def run(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """The results of at most `size` calls, made at the same time; one after the other within one another."""
        if len(calls) == 1 or getattr(_of_thread, "is_worker", False):
            return [call() for call in calls]
        if self._broken_off:
            self._wait_for_all()
        self._broken_off = True
        shares = [_Share(call) for call in calls[1:]]
        for tasks, share in zip(self._tasks, shares, strict=False):
            tasks.put(share)
        try:
            results = [calls[0]()]
        finally:
            for share in shares:
                share.wait()
        self._broken_off = False
        return results + [share.result() for share in shares]

    def _wait_for_all(self) -> None:
        """Each worker does what it was given in order: when it has done nothing at all, all before is done."""
        shares = [_Share(lambda: None) for _ in self._tasks]
        for tasks, share in zip(self._tasks, shares, strict=True):
            tasks.put(share)
        for share in shares:
            share.wait()


class _Share(Generic[T]):
    """A call that a worker makes."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        # An interrupt cannot come in the middle of a lock, as it can in an Event, whose own lock it may leave closed.
        self._done = threading.Lock()
        self._done.acquire()
        self._outcome: list[T] = []
        self._error: BaseException | None = None

    def make(self) -> None:
        try:
            self._outcome.append(self._call())
        except BaseException as error:  # raised again where the result is waited for
            self._error = error
        self._done.release()

    def wait(self) -> None:
        self._done.acquire()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._outcome[0]


_of_thread = threading.local()


def _work(tasks: SimpleQueue[_Share[Any] | None]) -> None:
    _of_thread.is_worker = True
    while _make(tasks.get()):
        pass  # nothing is held of a share that is done


def _make(share: _Share[Any] | None) -> bool:
    if share is not None:
        share.make()
    return share is not None


def _dismiss(workers: Sequence[SimpleQueue[_Share[Any] | None]]) -> None:
    for tasks in workers:
        tasks.put(None)


_team = Team(1)


def use(threads: int) -> None:
    """Let kernels compute with so many threads from now on.

    >>> use(2); in_use()
    2
    >>> use(1)
    """
    global _team
    if threads < 1:
        raise UsageError(f"there has to be at least one thread, got {threads}")
    if threads != _team.size:
        _team = Team(threads)


def in_use() -> int:
    """The number of threads of kernels."""
    return _team.size


def limit_blas(threads: int) -> None:
    """Let the matrix products of NumPy use so many threads from now on.

    >>> limit_blas(1); blas_in_use()
    1
    """
    blas_available()
    blas_libraries().limit(limits=threads)


def blas_in_use() -> int:
    """The number of threads that NumPy's matrix products may use."""
    return max((library["num_threads"] for library in blas_libraries().info()), default=1)


@cache
def blas_available() -> int:
    """What NumPy's products may use at first: all processors, or what OPENBLAS_NUM_THREADS and the like say."""
    return min(blas_in_use(), available())


def available() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth_sharing(count: int, work: float) -> bool:
    """Whether there is enough to do for two threads.

    >>> worth_sharing(5, 1e9), worth_sharing(1, 1e9), worth_sharing(5, 1e3)
    (True, False, False)
    """
    return count > 1 and work >= 2 * WORTH_A_THREAD


def in_shares(count: int, work: float, call: Callable[[int, int], T]) -> list[T]:
    """Call with (0, k), (k, ..), ..., (.., count): as many shares as there are threads and the work is worth.

    work: multiplications in all.

    >>> in_shares(5, 1e9, lambda start, stop: list(range(start, stop)))
    [[0, 1, 2, 3, 4]]
    """
    parts = min(_team.size, count, int(work / WORTH_A_THREAD))
    if parts <= 1:
        return [call(0, count)]
    bounds = [count * part // parts for part in range(parts + 1)]
    return _team.run([partial(call, start, stop) for start, stop in pairwise(bounds)])


def _after_fork() -> None:
    """A child process has none of the workers."""
    global _team
    _team = Team(_team.size)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
