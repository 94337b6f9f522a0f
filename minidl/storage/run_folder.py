"""The folder of a run, runs/NAME/001: who may write in it, what it says about itself, and how to find it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minidl.storage.atomic import make_folder, refuse_link, refuse_special, refusing, sweep, sync_folder, write_whole
from minidl.storage.checkpoint_folder import CheckpointFolder
from minidl.system.errors import CheckpointError, RunLost, StorageError, suggest

logger = logging.getLogger("minidl")
LOGS, EVENTS = ("metrics.jsonl", "samples.txt"), "events.out.tfevents."
NUMBER = re.compile(r"\d{3,}")
KINDS: dict[str, type] = {"state": str, "step": int, "versions": dict, "resumed": list}  # of facts that are read


class RunFolder:
    """A numbered run of an experiment. Only one process at a time may train in it.

    While it is locked it is the folder that was found then, whatever becomes of its name: `check` raises RunLost where
    another one, or none, goes by that name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = CheckpointFolder(path / "checkpoints", self.check)
        self._lock: int | None = None
        self._folder: int | None = None  # kept open: as long as it is, no other folder can have its number

    @property
    def number(self) -> int:
        """Which run of its name it is."""
        return int(self.path.name)

    @classmethod
    def create(cls, runs: Path, name: str) -> RunFolder:
        """The next free number, locked; two processes that ask at once get two numbers."""
        home = runs / name
        try:
            make_folder(home)
            number = max((run.number for run in list_runs(home)), default=0)
            while True:
                number += 1
                folder = cls(home / f"{number:03d}")
                with contextlib.suppress(FileExistsError):
                    folder.path.mkdir()
                    sync_folder(home)
                    return folder.lock()
        except OSError as error:
            reason = error.strerror or str(error)
            refusal = StorageError(f"{home}: no run folder can be made ({reason}); choose another with --runs")
            refusal.errno = error.errno
            raise refusal from error

    @classmethod
    def find(cls, runs: Path, name: str, number: int | None = None) -> RunFolder:
        """The newest run of a name that can be gone on with, or the one with this number.

        A run that failed, or never began, before its first checkpoint is passed over.
        """
        found = {run.number: run for run in list_runs(runs / name)}
        if not found:
            known = sorted(path.name for path in runs.iterdir()) if runs.is_dir() else []
            raise CheckpointError(
                f"{(runs / name).absolute()} holds no run: there is nothing to resume{suggest(name, known)}"
            )
        if number is not None and number not in found:
            raise CheckpointError(f"there is no run {number} of {name!r} (there are: {', '.join(map(str, found))})")
        begun = [number for number, run in found.items() if run.checkpoints.files() or run.was_cut_off]
        return found[max(begun or found) if number is None else number]

    def lock(self) -> RunFolder:
        """Keep other processes out until the `with` of this folder ends; StorageError where another one is in.

        The folder itself is locked too, for its files may be deleted.
        """
        with refusing(self.path / ".lock"):
            self._folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            self._lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            try:
                _lock_alone(self._lock)
                _lock_folder(self._folder)
            except BlockingIOError:
                self._unlock()
                raise StorageError(
                    f"{self.path}: another process is training in this folder; wait for it, or start a new run"
                ) from None
            except OSError as error:  # as on some drives in the network
                logger.warning(
                    "%s cannot be locked (%s): do not train twice in it at a time", self.path, error.strerror
                )
        try:
            self.check()
            sweep(self.path)
        except BaseException:
            self._unlock()
            raise
        return self

    def check(self) -> None:
        """RunLost where the name of this folder, which is locked, has become that of another one, or of none."""
        if self._folder is None:
            return
        mine = os.fstat(self._folder)
        try:
            named = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            named = None
        if named is None or (named.st_dev, named.st_ino) != (mine.st_dev, mine.st_ino):
            fate = "another one has taken its place" if named else "it was deleted or moved"
            raise RunLost(
                f"{self.path}: is no longer the folder of this run ({fate} while it was trained); "
                "the run ends, and has written nothing anywhere else"
            )

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._unlock()

    def _unlock(self) -> None:
        for descriptor in (self._lock, self._folder):
            if descriptor is not None:
                with contextlib.suppress(OSError):  # even then it is closed
                    os.close(descriptor)
        self._lock = self._folder = None

    def write(self, name: str, text: str) -> None:
        """A small file, whole or not at all."""
        self.check()
        write_whole(self.path / name, text.encode("utf-8", "surrogatepass"), follow=False)

    def copy(self, file: Path, subfolder: str) -> None:
        """A copy of a file, in a folder of the run."""
        self.check()
        with refusing(self.path / subfolder):
            refuse_link(self.path / subfolder)
            make_folder(self.path / subfolder)
            write_whole(self.path / subfolder / file.name, file.read_bytes(), follow=False)

    def clear(self) -> None:
        """Delete what a run has written that ended before its first checkpoint."""
        self.check()
        for path in self.path.iterdir():
            if path.name in LOGS or path.name.startswith(EVENTS):
                with refusing(path):
                    path.unlink()

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Add facts to run.json."""
        self.write("run.json", json.dumps({**self.facts, **facts}, indent=2) + "\n")

    @property
    def facts(self) -> dict[str, Any]:
        """What run.json says; nothing where it is missing or damaged, and nothing that is of another kind."""
        path = self.path / "run.json"
        try:
            refuse_special(path)
            facts = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        found = facts if isinstance(facts, dict) else {}
        return {name: value for name, value in found.items() if isinstance(value, KINDS.get(name, object))}

    @property
    def state(self) -> str:
        """running, done, pruned, interrupted or failed; a run whose process was killed is interrupted.

        Unknown, where run.json is damaged.
        """
        state = self.facts.get("state", "unknown" if (self.path / "run.json").exists() else "running")
        return "interrupted" if state == "running" and not self._is_locked() else state

    @property
    def was_cut_off(self) -> bool:
        """Whether it had begun, and its process was stopped or killed."""
        return (self.path / "run.json").exists() and self.state == "interrupted"

    def _is_locked(self) -> bool:
        try:
            with open(self.path / ".lock", "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


def _lock_alone(descriptor: int) -> None:
    """Lock, or BlockingIOError. Who asks for the state of a run locks it too, for a moment: that is waited for."""
    for _ in range(20):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.01)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_folder(descriptor: int) -> None:
    """The same, where the file system locks folders."""
    try:
        _lock_alone(descriptor)
    except BlockingIOError:
        raise
    except OSError:
        return


def list_runs(home: Path) -> list[RunFolder]:
    """The runs of one experiment, by number."""
    if not home.is_dir():
        return []
    numbered = [path for path in home.iterdir() if NUMBER.fullmatch(path.name) and path.is_dir()]
    return [RunFolder(path) for path in sorted(numbered, key=lambda path: int(path.name))]


def model_file(run: str, runs: Path) -> Path:
    """The file that RUN means: a file, the best or last checkpoint of a run folder, or of the newest run of a name.

    Runs of that name that ended before their first checkpoint are passed over.
    """
    path = Path(run)
    if path.is_file():
        return path
    is_run = path.is_dir() and ((path / "checkpoints").is_dir() or list_runs(path))
    home = path if is_run or not (runs / run).is_dir() else runs / run  # a folder may happen to have the name of a run
    folders = [home, *(numbered.path for numbered in reversed(list_runs(home)))]
    for folder in folders:
        for name in ("best", "last"):
            if (folder / "checkpoints" / name).is_file():
                return folder / "checkpoints" / name
    if folders[1:] or (home / "run.json").is_file():
        raise CheckpointError(f"{home} holds no checkpoint that could be loaded: name another run")
    names = sorted(place.name for place in runs.iterdir()) if runs.is_dir() else []
    known = [*names, *(f"{name}/{folder.path.name}" for name in names for folder in list_runs(runs / name))]
    raise CheckpointError(
        f"{run!r} is no model file, no run folder with checkpoints, and no experiment in {runs.absolute()}"
        f"{suggest(run, known)}{' (there are: ' + ', '.join(known[:20]) + ')' if known else ''}"
    )
