"""RunLog: what a run measures and writes, as files that survive it: metrics.jsonl and samples.txt."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.callbacks.base import Callback

if TYPE_CHECKING:
    from minidl.trainer import Trainer

logger = logging.getLogger("minidl")


class AppendOnly:
    """A file that grows by whole entries. A full disk costs entries and one warning, never the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._warned = False

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, size: int) -> None:
        """Forget what was written after the file had this size."""
        if self.size > size:
            os.truncate(self.path, size)

    def append(self, entry: str) -> None:
        """Add an entry; it is in the hands of the system when this returns."""
        try:
            self._write(entry.encode("utf-8", "replace"))
        except OSError as error:
            if not self._warned:
                logger.warning("%s: cannot be written (%s); training goes on without it", self.path, error.strerror)
            self._warned = True

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            before = os.fstat(descriptor).st_size
            if os.write(descriptor, data) < len(data):  # the disk took a part: no half entries
                os.ftruncate(descriptor, before)
                raise OSError(28, "No space left on device")
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

    def step(self, trainer: Trainer) -> None:
        """Write what the callbacks before have found, if anything."""
        progress = trainer.progress
        if trainer.record:
            place = {"step": progress.step, "epoch": round(trainer.epoch, 6), "seconds": round(progress.seconds, 3)}
            self._metrics.append(json.dumps({**place, **trainer.record}) + "\n")
        for tag, text in trainer.texts.items():
            self._samples.append(f"--- step {progress.step}, {tag} ---\n{text}\n\n")

    def finish(self, trainer: Trainer, *, completed: bool) -> None:
        """Write what was found at the end."""
        self.step(trainer)

    def memory(self) -> dict[str, Any]:
        """The sizes of the files."""
        return {"metrics": self._metrics.size, "samples": self._samples.size}

    def remember(self, memory: Mapping[str, Any]) -> None:
        """Drop what was written after the checkpoint."""
        self._metrics.cut(memory["metrics"])
        self._samples.cut(memory["samples"])
