"""The thread that a model belongs to: two at once would mix up its arrays and its state, without a word."""

from __future__ import annotations

import threading

from minidl.system.errors import UsageError


class Owner:
    """The last thread that has computed, for as long as it lives; UsageError for any other."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def claim(self) -> None:
        """Called by each pass."""
        mine = threading.current_thread()
        if self._thread is mine:
            return
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise UsageError(
                    f"this model computes in the thread {self._thread.name!r}, and its arrays and state would be mixed "
                    "up: give each thread a model.replica() of its own, over the same weights"
                )
            self._thread = mine
