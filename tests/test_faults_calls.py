"""Every call of a run that the system could refuse is refused in turn: no hang, no loss, no traceback.

The system is Python's own layer over it: what minidl, numpy and tensorboardX call is replaced by calls that fail once.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from runs import Left, left, minidl_run, no_longer_than, write_experiment

from minidl.storage.run_folder import RunFolder, list_runs
from minidl.system.errors import MinidlError

CALLS = [
    *((builtins, "open"), (io, "open"), (fcntl, "flock")),
    *((os, name) for name in ("open", "write", "fsync", "fstat", "ftruncate", "replace", "mkdir", "symlink")),
    *((os, name) for name in ("unlink", "listdir", "scandir", "stat", "close", "readlink")),
]
EXITS = {0, 2, 3, 4, 74}  # done, or a message: of the experiment file, the data, a checkpoint, the disk
PATIENCE = 30  # seconds


class Faults:
    """Counts the calls of a run; the n-th one fails."""

    def __init__(self, nth: int = 0, number: int = errno.EIO) -> None:
        self.nth, self.number = nth, number
        self.count = 0
        self.failed = "none"
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> Faults:
        self._undo = contextlib.ExitStack()
        for module, name in CALLS:
            call = getattr(module, name)
            self._undo.callback(setattr, module, name, call)
            setattr(module, name, self._opening(call) if name == "open" and module is not os else self._failing(call))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._undo.close()

    def check(self, name: str, where: object = "") -> None:
        self.count += 1
        self.seen[name] += 1
        if self.count == self.nth:
            self.failed = f"{name} {where}"
            raise OSError(self.number, os.strerror(self.number))

    def _failing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if call.__name__ == "close":  # one that fails has closed
                call(*arguments)
                return self.check("close", arguments[0])
            self.check(call.__name__, arguments[:1])
            return call(*arguments, **options)

        return wrapped

    def _opening(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.check("open file", arguments[:1])
            return File(call(*arguments, **options), self)

        return wrapped


class File:
    """A file the reads, writes and flushes of which may fail."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def __getattr__(self, name: str) -> Any:
        if name in ("read", "write", "flush", "readline"):
            self._faults.check(f"{name} of a file", getattr(self._file, "name", ""))
        return getattr(self._file, name)

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)


def write_short(folder: Path) -> None:
    write_experiment(
        folder,
        train={
            "steps": 3,
            "evaluate_every": {"steps": 2},
            "checkpoint_every": {"steps": 1},
            "sample_every": {"steps": 3},
        },
        log={"every": {"steps": 1}, "tensorboard": True, "histograms_every": None},
        sample={"length": 3, "temperatures": [1.0]},
    )


@dataclass(frozen=True)
class Trial:
    """A run that is begun, or one that is resumed after two of its three steps; each time in a folder of its own.

    said: what was written to stderr since it was asked last.
    """

    folder: Path
    resumed: bool
    said: Callable[[], str]

    def prepare(self) -> tuple[int, Left]:
        """How many calls it makes, and what it leaves where none fails."""
        write_short(self.folder)
        if self.resumed:
            assert minidl_run("tiny.yaml", "--runs", "begun", "train.steps=2") == 0
        assert self._go("warm", Faults()) == 0  # what is imported lazily is there from now on
        faults = Faults()
        assert self._go("whole", faults) == 0
        assert min(faults.seen["fsync"], faults.seen["write of a file"], faults.seen["symlink"]) > 3
        return faults.count, left(list_runs(self.folder / "whole" / "tiny")[-1])

    def fail(self, nth: int, number: int, whole: Left) -> Iterator[str]:
        """The n-th call fails with this error number; what was not as it should be."""
        runs = self.folder / f"{nth}-{errno.errorcode[number]}"
        self.said()
        with no_longer_than(PATIENCE):
            code = self._go(runs.name, fault := Faults(nth, number))
        text = self.said()
        told = os.strerror(number) in text or "falling back to the checkpoint before it" in text
        for problem in (*_wrong(code, text, number), *_lost(runs, code, whole, self.said, told)):
            yield f"call {nth}, {fault.failed}, {errno.errorcode[number]}: {problem}"
        shutil.rmtree(runs, ignore_errors=True)

    def _go(self, runs: str, faults: Faults) -> int:
        if self.resumed:
            shutil.copytree("begun", runs, symlinks=True)
        with faults:
            return minidl_run("tiny.yaml", "--runs", runs, *(["--resume"] if self.resumed else []))


def _wrong(code: int, said: str, number: int) -> Iterator[str]:
    if code not in EXITS:
        yield f"exit code {code}"
    if "Traceback" in said:
        yield said
    if code and os.strerror(number) not in said:
        yield f"exit code {code} without a reason: {said}"


def _lost(runs: Path, code: int, whole: Left, said: Callable[[], str], told: bool) -> Iterator[str]:
    """The last good checkpoint loads, and the run that goes on from it ends as if nothing had been.

    told: whether the error, or what came of it, was spoken of.
    """
    found = list_runs(runs / "tiny")
    if not found or not found[-1].checkpoints.files():
        if code == 0:
            yield "there is no run"
        return
    found[-1].checkpoints.newest()
    if (
        not (code == 0 and _is_whole(found[-1], whole))
        and minidl_run("tiny.yaml", "--runs", runs.name, "--resume") != 0
    ):
        yield f"it cannot be resumed: {said()}"
        return
    now = left(found[-1])
    if now.arrays != whole.arrays or now.state != "done":
        yield f"state {now.state}, other weights"
    # Where training went on and said so, entries that the disk refused are missing.
    if (code or not told) and (now.metrics, now.samples, now.links) != (whole.metrics, whole.samples, whole.links):
        yield f"{now.differences(whole)}"[:300]


def _is_whole(run: RunFolder, whole: Left) -> bool:
    """Whether nothing is left for a run to go on with."""
    with contextlib.suppress(MinidlError, OSError):
        now = left(run)
        return now.arrays == whole.arrays and now.state == "done"
    return False


@pytest.mark.parametrize(("resumed", "every"), [(False, 5), (True, 10)], ids=["begun", "resumed"])
def test_each_call_of_a_run_fails_in_turn(
    resumed: bool, every: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One kind of error for some of the calls; `python tests/long_faults.py` tries both kinds for each of them."""
    monkeypatch.setenv("MINIDL_KERNELS", "numpy")
    monkeypatch.chdir(tmp_path)
    trial = Trial(tmp_path, resumed, lambda: capfd.readouterr().err)
    calls, whole = trial.prepare()
    assert calls > 200
    errors = (errno.ENOSPC, errno.EIO)
    problems = [line for nth in range(1, calls + 1, every) for line in trial.fail(nth, errors[nth // every % 2], whole)]
    assert not problems, "\n".join(problems)


def test_the_faults_are_felt(tmp_path: Path) -> None:
    with Faults(1, errno.ENOSPC), pytest.raises(OSError, match="No space left"):
        (tmp_path / "file").write_text("")
    with Faults(2, errno.EIO), pytest.raises(OSError, match="Input/output"):
        (tmp_path / "file").write_text("")
    assert sys.modules["os"].open is os.open
    (tmp_path / "file").write_text("")
