"""The folder of a run, runs/NAME/001: who may write in it, what it says about itself, and how to find it."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from minidl.storage import write_whole
from minidl.checkpoint import Checkpoints
from minidl.errors import CheckpointError, StorageError, suggest

NUMBER = re.compile(r"\d{3,}")
PACKAGES = ("minidl", "numpy", "pyyaml", "pydantic", "tensorboardX", "rich", "numba")


class RunFolder:
    """A numbered run of an experiment. Only one process at a time may train in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = Checkpoints(path / "checkpoints")
        self._lock: int | None = None

    @property
    def number(self) -> int:
        """Which run of its name it is."""
        return int(self.path.name)

    @classmethod
    def create(cls, runs: Path, name: str) -> RunFolder:
        """The next free number; two processes that ask at once get two numbers."""
        home = runs / name
        try:
            home.mkdir(parents=True, exist_ok=True)
            while True:
                number = max((run.number for run in list_runs(home)), default=0) + 1
                folder = cls(home / f"{number:03d}")
                try:
                    folder.path.mkdir()
                except FileExistsError:
                    continue
                folder.lock()
                return folder
        except OSError as error:
            reason = error.strerror or str(error)
            raise StorageError(
                error.errno or 5, f"{home.resolve()}: no run folder can be made ({reason}); choose another with --runs"
            ) from None

    @classmethod
    def find(cls, runs: Path, name: str, number: int | None = None) -> RunFolder:
        """The newest run of a name, or the one with this number."""
        found = {run.number: run for run in list_runs(runs / name)}
        if not found:
            known = sorted(path.name for path in runs.iterdir()) if runs.is_dir() else []
            raise CheckpointError(
                f"{(runs / name).resolve()} holds no run: there is nothing to resume{suggest(name, known)}"
            )
        if number is not None and number not in found:
            raise CheckpointError(f"there is no run {number} of {name!r} (there are: {', '.join(map(str, found))})")
        return found[number if number is not None else max(found)]

    def lock(self) -> None:
        """Keep other processes out until this one ends; StorageError where another one is in."""
        self._lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                error.errno, f"{self.path}: another process is training in this folder; wait for it, or start a new run"
            ) from None

    def write(self, name: str, text: str) -> None:
        """A small file, whole or not at all."""
        write_whole(self.path / name, text.encode("utf-8", "surrogatepass"))

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Add facts to run.json."""
        path = self.path / "run.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        self.write("run.json", json.dumps({**known, **facts}, indent=2) + "\n")

    @property
    def state(self) -> str:
        """running, done, interrupted, terminated or failed; a run whose process has gone without a word is interrupted."""
        state = str(self.facts.get("state", "unknown"))
        return "interrupted" if state == "running" and not self._is_locked() else state

    def _is_locked(self) -> bool:
        try:
            with open(self.path / ".lock", "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @property
    def facts(self) -> dict[str, Any]:
        """What run.json says."""
        try:
            facts: dict[str, Any] = json.loads((self.path / "run.json").read_text())
        except (OSError, ValueError):
            return {}
        return facts


def list_runs(home: Path) -> list[RunFolder]:
    """The runs of one experiment, by number."""
    if not home.is_dir():
        return []
    numbered = [path for path in home.iterdir() if NUMBER.fullmatch(path.name) and path.is_dir()]
    return [RunFolder(path) for path in sorted(numbered, key=lambda path: int(path.name))]


def model_file(run: str, runs: Path) -> Path:
    """The file that RUN means: a file, the best or last checkpoint of a run folder, or of the newest run of a name."""
    path = Path(run)
    if path.is_file():
        return path
    home = path if path.is_dir() else runs / run
    numbered = list_runs(home)
    folder = (numbered[-1].path if numbered else home) / "checkpoints"
    for name in ("best", "last"):
        if (folder / name).is_file():
            return folder / name
    known = sorted(place.name for place in runs.iterdir()) if runs.is_dir() else []
    raise CheckpointError(
        f"{run!r} is no model file, no run folder with checkpoints, and no experiment in {runs.resolve()}"
        f"{suggest(run, known)}{' (there are: ' + ', '.join(known) + ')' if known else ''}"
    )


def surroundings() -> dict[str, Any]:
    """What a run was made with: command, versions, processor."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "arguments": sys.argv[1:],
        "versions": versions,
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
