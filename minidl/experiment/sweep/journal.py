"""A study in a file, which outlives all the processes that write to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from optuna.exceptions import OptunaError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from minidl.experiment.sweep.mutex import Mutex
from minidl.experiment.sweep.search import Search
from minidl.experiment.sweep.study import Study
from minidl.storage.atomic import refusing
from minidl.system.errors import CheckpointError

DAMAGED = (OptunaError, ValueError, LookupError, TypeError, AttributeError, AssertionError)  # what Optuna then raises


class Journal(Study):
    """A study in a file of a folder that all processes see; one of them at a time changes it."""

    def __init__(self, path: Path, search: Search) -> None:
        super().__init__(path.stem, search)
        self.path = path
        self._mutex = Mutex(path.with_name(f".{path.stem}.lock"))

    def __str__(self) -> str:
        return str(self.path)

    def __enter__(self) -> Journal:
        with refusing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._presence = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with self._shared():
                self._read()
                self.put_back_orphans()
        except BaseException:
            os.close(self._presence)
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._presence)

    def put_back_orphans(self) -> None:
        """Let the next process have the trials of those that were killed, if only this one takes part."""
        with self._shared():
            if self._is_alone():
                for trial in self.trials(TrialState.RUNNING):
                    self._set_waiting(trial.number)

    @contextlib.contextmanager
    def _shared(self) -> Iterator[None]:
        with refusing(self.path), self._mutex:
            self._mend()  # the process that was writing is done, or was killed
            yield

    def _is_alone(self) -> bool:
        """Whether no other process has the journal open; none can open it before the mutex is let go."""
        try:
            fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._presence, fcntl.LOCK_SH)
        return True

    def _mend(self) -> None:
        """Cut off a last line without an end: the process that wrote it was killed, or the disk took half of it."""
        with self.path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0 or os.pread(file.fileno(), 1, file.tell() - 1) == b"\n":
                return
        os.truncate(self.path, self.path.read_bytes().rfind(b"\n") + 1)

    def _read(self) -> None:
        try:
            self._open(JournalStorage(JournalFileBackend(str(self.path), cast(Any, self._mutex))))
        except DAMAGED as error:
            raise CheckpointError(
                f"{self.path}: holds no sweep that could go on ({error}); delete it to begin anew, the runs are kept"
            ) from error
