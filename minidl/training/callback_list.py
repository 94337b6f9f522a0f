"""The callbacks of a run, called in their order, each kept safe from the failures of the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from minidl.system.errors import RunLost
from minidl.training.callback import Abandoned, Callback

logger = logging.getLogger("minidl")


class CallbackList:
    """Callbacks by `order`. One that fails does not keep the others from doing and saving what is theirs.

    error: the first failure; the trainer ends the run and raises it. A callback that only writes (order WRITE) and is
    refused by the disk or a closed pipe is no failure: it costs one warning, never the run.
    """

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self._callbacks = sorted(callbacks, key=lambda callback: callback.order)
        self._refused: set[int] = set()
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Callback]:
        return iter(self._callbacks)

    def call(self, what: Callable[[Callback], None], *, at_the_end: bool = False, first: str | None = None) -> None:
        """Do this with each of them; with none, until the very end, once the folder of the run is another's.

        first: the name of the one to begin with. Abandoned, which has the name of a callback, goes through.
        """
        names = [callback.type_name() for callback in self._callbacks]
        for callback in self._callbacks[names.index(first) if first in names else 0 :]:
            if isinstance(self.error, RunLost) and not at_the_end:
                return
            try:
                what(callback)
            except Abandoned:
                raise Abandoned(callback.type_name()) from None
            except Exception as error:  # of whatever kind: it is raised when the run has been saved
                self._keep(callback, error)

    def _keep(self, callback: Callback, error: Exception) -> None:
        if callback.order != Callback.WRITE or not isinstance(error, OSError) or isinstance(error, RunLost):
            self.error = self.error or error
        elif id(callback) not in self._refused:
            self._refused.add(id(callback))
            logger.warning("%s: %s; training goes on without it", callback.type_name(), error)
