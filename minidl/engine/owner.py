"""The thread whose turn a model is: two at once would mix up its arrays and its state, without a word."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakSet

from minidl.system.errors import UsageError


class Owner:
    """Whose turn it is: one thread at a time, until another takes over; UsageError where results could be mixed up.

    A thread takes over where it begins anew, where the one before has ended, and once after the main thread, as when a
    trained model is given to a worker. What the one before still holds is left to it: hand_over makes new arrays.
    """

    def __init__(self, hand_over: Callable[[], None]) -> None:
        self._hand_over = hand_over
        self._thread: threading.Thread | None = None
        self._had_it: WeakSet[threading.Thread] = WeakSet()
        self._busy = threading.RLock()

    def turn(self, *, anew: bool) -> Owner:
        """For a pass, in a `with`. anew: whether it depends on nothing that another has left."""
        mine = threading.current_thread()
        if not self._busy.acquire(blocking=False):
            raise UsageError(self._refusal())
        if self._thread is not mine:
            try:
                self._take_over(mine, anew)
            except BaseException:
                self._busy.release()
                raise
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_exception: object) -> None:
        self._busy.release()

    def _take_over(self, mine: threading.Thread, anew: bool) -> None:
        if self._thread is not None and self._thread.is_alive():
            given = self._thread is threading.main_thread() and mine not in self._had_it
            if not (anew or given):
                raise UsageError(self._refusal())
            self._hand_over()
        self._thread = mine
        self._had_it.add(mine)

    def _refusal(self) -> str:
        name = "another thread" if self._thread is None else f"the thread {self._thread.name!r}"
        return (
            f"this model computes in {name}, and its arrays and state would be mixed up: give each thread a "
            "model.replica() of its own, over the same weights, or begin anew with model.reset_state()"
        )
