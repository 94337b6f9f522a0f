"""OwnFolder: the end of a run whose folder was deleted, moved, or replaced by that of another run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from minidl.training.callback import Callback, Run


@dataclass(eq=False)
class OwnFolder(Callback):
    """Ends the run before anything is written for it. check: raises RunLost where the folder is another's."""

    check: Callable[[], None] = field(kw_only=True)

    order = Callback.DECIDE

    def start(self, trainer: Run) -> None:
        """Look before the first line is written."""
        self.check()

    def step(self, trainer: Run) -> None:
        """Look after each step, which takes a microsecond."""
        self.check()

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Look once more."""
        self.check()
