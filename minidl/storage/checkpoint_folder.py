"""The folder that keeps a run's checkpoints: step-00001200.npz and so on, with links `best` and `last`."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from minidl.graph.arrays import Array
from minidl.storage.archive import Archive, Check, read_archive, write_archive
from minidl.storage.atomic import link_whole, make_folder, refuse_link, refusing, sweep
from minidl.system.errors import CheckpointError, NewerFormat

logger = logging.getLogger("minidl")
STEP_FILE = re.compile(r"step-(\d{8,})\.npz")


class CheckpointFolder:
    """Checkpoints by step. A file is whole before a link points to it, and no link points to a file that is deleted."""

    def __init__(self, path: Path, check: Callable[[], None] = lambda: None) -> None:
        self.path, self._check = path, check

    def save(self, step: int, arrays: Mapping[str, Array], meta: Mapping[str, Any], *, best: bool) -> Path:
        """Write a file, then let the links point to it; StorageError where the disk refuses."""
        path = self._write(step, arrays, meta)
        self._link("last", path)
        if best:
            self._link("best", path)
        return path

    def save_best(self, step: int, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
        """Write the best of an earlier step, which the disk refused then."""
        self._link("best", self._write(step, arrays, meta))

    def _write(self, step: int, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> Path:
        self._check()
        path = self._file(step)
        with refusing(path):
            make_folder(self.path)
        self._refuse_link()
        write_archive(path, arrays, meta, follow=False)
        return path

    def _refuse_link(self) -> None:
        with refusing(self.path):
            refuse_link(self.path)

    def files(self) -> list[Path]:
        """All step files, the newest first."""
        if not self.path.is_dir():
            return []
        found = [path for path in self.path.iterdir() if STEP_FILE.fullmatch(path.name)]
        return sorted(found, key=_step, reverse=True)

    def rotate(self, keep: int) -> None:
        """Delete all but the newest files and those that links point to; what cannot be deleted stays."""
        with contextlib.suppress(OSError):
            self._check()
            linked = {os.path.realpath(self.path / name) for name in ("best", "last")}
            for path in self.files()[keep:]:
                if os.path.realpath(path) not in linked:
                    path.unlink()

    def newest(self, check: Check | None = None) -> tuple[Path, Archive]:
        """The newest file that is sound, also by this check; says so where a newer one is not."""
        files = self.files()
        if not files:
            raise CheckpointError(f"{self.path} holds no checkpoint: there is nothing to resume")
        for path in files:
            try:
                return path, read_archive(path, check)
            except NewerFormat:
                raise
            except CheckpointError as error:
                logger.warning("%s; falling back to the checkpoint before it", error)
        raise CheckpointError(f"{self.path}: none of its {len(files)} checkpoints can be read; start a new run")

    def go_back(self, step: int, best_step: int) -> None:
        """Go on from a step: later files, which are bad, are put aside as NAME.bad, and the links set as they were."""
        self._refuse_link()
        sweep(self.path)
        for path in self.files():
            if _step(path) > step:
                with refusing(path):
                    os.replace(path, path.with_name(f"{path.name}.bad"))
        self._link("last", self._file(step))
        if best_step and self._file(best_step).exists():
            self._link("best", self._file(best_step))
        elif not (self.path / "best").exists():
            with contextlib.suppress(OSError):
                (self.path / "best").unlink()

    def _file(self, step: int) -> Path:
        return self.path / f"step-{step:08d}.npz"

    def _link(self, name: str, target: Path) -> None:
        link_whole(self.path / name, target.name)


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))
