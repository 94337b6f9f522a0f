"""Checkpoints: a run at one step, in a file that also is a model, and the folder that keeps them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidl.archive import Archive, read_archive, write_archive
from minidl.errors import CheckpointError, StorageError

if TYPE_CHECKING:
    from minidl.trainer import Trainer

Array = NDArray[Any]
logger = logging.getLogger("minidl")
STEP_FILE = re.compile(r"step-(\d{8,})\.npz")


def capture(trainer: Trainer) -> tuple[dict[str, Array], dict[str, Any]]:
    """Everything that a resumed run has to know: arrays, and plain data."""
    state, generators = trainer.model.executor.memory()
    memory = trainer.optimizer.memory
    arrays = {f"parameters/{name}": array for name, array in trainer.model.weights.arrays.items()}
    arrays |= {f"optimizer/{name}": array for name, array in memory.slots.items()}
    arrays |= {f"state/{name}": array for name, array in state.items()}
    return arrays, {
        "model": trainer.model.config(),
        "optimizer": {"config": trainer.optimizer.config(), "steps": memory.steps, "grad_norm": memory.grad_norm},
        "generators": generators,
        "progress": dataclasses.asdict(trainer.progress),
        "callbacks": {callback.type_name(): callback.memory() for callback in trainer.callbacks},
        "data": trainer.data.digest,
    }


def restore(trainer: Trainer, archive: Archive, source: str) -> None:
    """Bring a trainer to where `capture` found another one; CheckpointError, and no change, where it does not fit."""
    meta = archive.meta
    if meta.get("data") != trainer.data.digest:
        raise CheckpointError(f"{source}: the data is not what this run was trained on; resume with the same data")
    slots = _slots(trainer, archive, source)
    trainer.model.set_parameters(archive.arrays, source)
    trainer.model.executor.remember(_under("state/", archive.arrays), meta["generators"])
    trainer.optimizer.restore(meta["optimizer"]["steps"], slots)
    trainer.optimizer.memory.grad_norm = meta["optimizer"]["grad_norm"]
    trainer.progress = type(trainer.progress)(**meta["progress"])
    for callback in trainer.callbacks:
        if callback.type_name() in meta["callbacks"]:
            callback.remember(meta["callbacks"][callback.type_name()])


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _slots(trainer: Trainer, archive: Archive, source: str) -> dict[str, Array]:
    slots = _under("optimizer/", archive.arrays)
    expected = set(trainer.optimizer.slots) if archive.meta["optimizer"]["steps"] else set()
    size = trainer.model.weights.flat.size
    if set(slots) != expected or any(slot.shape != (size,) for slot in slots.values()):
        raise CheckpointError(
            f"{source}: its optimizer ({archive.meta['optimizer']['config']['type']}) is not that of this run "
            f"({trainer.optimizer.type_name()}); resume with the optimizer that the run was begun with"
        )
    if not all(np.isfinite(slot).all() for slot in slots.values()):
        raise CheckpointError(f"{source}: the optimizer holds NaN or infinity; take an older checkpoint")
    return slots


class Checkpoints:
    """A folder of files step-00001200.npz, with links `best` and `last` to two of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, arrays: Mapping[str, Array], meta: Mapping[str, Any], *, best: bool) -> Path:
        """Write a file, then let the links point to it."""
        path = self.folder / f"step-{step:08d}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_archive(path, arrays, meta)
            for name in ("last", "best") if best else ("last",):
                self._link(name, path.name)
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(error.errno, f"{path}: cannot be written ({error.strerror})") from error
        return path

    def _link(self, name: str, target: str) -> None:
        temporary = self.folder / f".{name}.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        temporary.symlink_to(target)
        os.replace(temporary, self.folder / name)

    def files(self) -> list[Path]:
        """All step files, the newest first."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if STEP_FILE.fullmatch(path.name)]
        return sorted(found, key=lambda path: int(path.stem.removeprefix("step-")), reverse=True)

    def rotate(self, keep: int) -> None:
        """Delete all but the newest files and the best; links never dangle, since they were set before."""
        linked = {os.path.realpath(self.folder / name) for name in ("best", "last")}
        for path in self.files()[keep:]:
            if os.path.realpath(path) not in linked:
                with contextlib.suppress(OSError):
                    path.unlink()

    def newest(self) -> tuple[Path, Archive]:
        """The newest file that is sound; says so where a newer one is not."""
        files = self.files()
        if not files:
            raise CheckpointError(f"{self.folder} holds no checkpoint: there is nothing to resume")
        for path in files:
            try:
                return path, read_archive(path)
            except CheckpointError as error:
                logger.warning("%s; falling back to the checkpoint before it", error)
        raise CheckpointError(f"{self.folder}: none of its {len(files)} checkpoints can be read")
