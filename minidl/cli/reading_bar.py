"""A bar on a terminal while a large file is read."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from minidl.system.reading import listening
from minidl.system.terminal import escape_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 0.5  # seconds after which a bar is shown


@contextlib.contextmanager
def reading_bar() -> Iterator[None]:
    """Shows how much has been read of what takes longer than a moment, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    bar = _Bar()
    try:
        with listening(bar.hear):
            yield
    finally:
        bar.stop()


class _Bar:
    """Made when it is needed: rich takes a moment to be imported."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""

    def hear(self, name: str, done: int, total: int) -> None:
        """Move the bar."""
        if self._progress is None:
            if time.monotonic() - self._begun < PATIENCE:
                return
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._progress.start()
        if self._task is None or name != self._name:
            self._name = name
            self._task = self._progress.add_task(f"reading {escape_line(Path(name).name)}", total=total)
        self._progress.update(self._task, completed=done)

    def stop(self) -> None:
        """Take it away."""
        if self._progress is not None:
            self._progress.stop()
