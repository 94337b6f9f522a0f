"""RunLog: what a run measures and writes, as files that survive it: metrics.jsonl and samples.txt."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidl.callbacks.entry import entry
from minidl.storage.append import append_whole
from minidl.storage.atomic import refusing, sync_folder
from minidl.training.callback import Callback, Run

logger = logging.getLogger("minidl")


class AppendOnly:
    """A file that grows by whole entries; each is in the hands of the system when `append` returns.

    It is opened for each entry, so that a fork shares nothing, and a file that was deleted comes back.
    size: bytes so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0

    def append(self, entry: str) -> None:
        """Add an entry, or nothing where the disk refuses: StorageError."""
        with refusing(self.path), self._opened(os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor:
            self.size = append_whole(descriptor, entry.encode("utf-8", "replace"))

    def sync(self) -> None:
        """Let what was written, and the file itself, survive a power cut, if the disk can do that."""
        with contextlib.suppress(OSError):
            with self._opened(os.O_RDONLY) as descriptor:
                os.fsync(descriptor)
            sync_folder(self.path.parent)

    def cut(self, size: int) -> None:
        """Forget what was written after the file had this size; and half an entry, where the file is shorter."""
        with refusing(self.path), self._opened(os.O_RDWR | os.O_CREAT) as descriptor:
            before = os.fstat(descriptor).st_size
            whole = size if before >= size else os.pread(descriptor, before, 0).rfind(b"\n") + 1
            if before > whole:
                os.ftruncate(descriptor, whole)
        self.size = whole
        if whole < size:
            logger.warning("%s has lost what it held: %d bytes are missing", self.path, size - whole)

    @contextlib.contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        # A pipe that nobody reads is refused, and so is a link, which may lead anywhere.
        descriptor = os.open(self.path, flags | os.O_NONBLOCK | os.O_NOFOLLOW, 0o644)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@dataclass(eq=False)
class RunLog(Callback):
    """Writes the record of each step as a line of metrics.jsonl, and texts into samples.txt.

    folder: of the run. A resumed run goes on where its checkpoint was written.
    """

    folder: Path = field(kw_only=True)

    order = Callback.WRITE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._metrics = AppendOnly(self.folder / "metrics.jsonl")
        self._samples = AppendOnly(self.folder / "samples.txt")

    def start(self, trainer: Run) -> None:
        """Write what is known before the first step."""
        self.step(trainer)

    def step(self, trainer: Run) -> None:
        """Write what the callbacks before have found, if anything."""
        if trainer.record:
            self._metrics.append(json.dumps(entry(trainer)) + "\n")
        for tag, text in trainer.texts.items():
            self._samples.append(f"--- step {trainer.progress.step}, {tag} ---\n{text}\n\n")

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Write what was found at the end."""
        self.step(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The sizes of the files, which from now on have to be there."""
        self._metrics.sync()
        self._samples.sync()
        return {"metrics": self._metrics.size, "samples": self._samples.size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Drop what was written after the checkpoint."""
        self._metrics.cut(state["metrics"])
        self._samples.cut(state["samples"])
