"""A study in a database or behind a server, to which processes of any number of machines may write."""

from __future__ import annotations

import contextlib
import math
import re
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from typing import Any

from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from minidl.experiment.sweep.search import Search
from minidl.experiment.sweep.study import Study
from minidl.system.errors import StorageError, UsageError

BEAT, GONE = 10.0, 60.0  # seconds between signs of life, and after which a process without one is gone
ATTEMPTS = 3  # a second apart
# SQLAlchemy's names of databases, with the drivers that come as wheels: what to install for each.
DRIVERS = {"postgresql": ("postgresql+psycopg", "psycopg[binary]"), "mysql": ("mysql+pymysql", "pymysql")}


class Database(Study):
    """A study at a URL. Each trial says who carries it out, and shows a sign of life while it lasts."""

    def __init__(self, url: str, name: str, search: Search) -> None:
        super().__init__(name, search)
        self._url = url
        self._me = uuid.uuid4().hex
        self._mine: Trial | None = None
        self._left = threading.Event()
        self._looked = -GONE
        self._shown = 0.0  # by the clock on the wall, by which others judge

    def __str__(self) -> str:
        return f"{self.name} in {shown(self._url)}"

    def __enter__(self) -> Database:
        for attempt in range(ATTEMPTS):  # those who come first at the same time make the same tables
            try:
                self._open(_storage(self._url))
                break
            except UsageError:
                raise
            except Exception as error:  # of any of the libraries that stand between
                if attempt == ATTEMPTS - 1:
                    told = error.details() if hasattr(error, "details") else str(error)  # of gRPC
                    reason = told.partition("\n")[0].replace(self._url, shown(self._url))
                    raise StorageError(f"{shown(self._url)}: no sweep can be kept there ({reason})") from error
                time.sleep(1)
        threading.Thread(target=self._beat, name="minidl-beat", daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._left.set()

    def ask(self, most: int, draw: Callable[[Trial], Any]) -> Trial | None:
        """As of any study; what is asked for at the same time and is too much is left for a larger sweep."""
        if time.monotonic() - self._looked > BEAT:
            self.put_back_orphans()
        found = self._look()
        waiting = [trial for trial in found if trial.state == TrialState.WAITING]
        place = next((trial._trial_id for trial in waiting if self._take(trial)), None)
        if place is None and len(found) < most:
            place = self._new()
        if place is None:
            return None
        trial = Trial(self._study, place)
        if trial.number >= most:
            self._set_waiting(trial.number)
            return None
        draw(trial)
        self._mine = trial
        return trial

    def _new(self) -> int:
        """A trial of this process, made with its sign of life: one question to the storage."""
        self._shown = time.time()
        new = create_trial(state=TrialState.RUNNING, user_attrs={"alive": (self._me, self._shown)})
        return self._storage.create_new_trial(self._study._study_id, new)

    def _take(self, waiting: FrozenTrial) -> bool:
        """Whether this process, and no other, has now a trial that was put back."""
        if not self._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING):
            return False
        self._show_life(waiting._trial_id)
        return True

    def put_back(self, trial: Trial) -> None:
        """Let the next process have a trial, if it is still that of this process."""
        self._mine = None
        if self._is_mine(trial):
            super().put_back(trial)

    def tell(self, trial: Trial, state: TrialState, loss: float | None = None, **facts: Any) -> None:
        """The end of a trial, if it is still that of this process; it is, where all have seen it alive of late."""
        alive = trial is self._mine and time.time() - self._shown < GONE / 2
        self._mine = None
        if not alive and not self._is_mine(trial):
            return
        if state == TrialState.COMPLETE and loss is not None and math.isfinite(loss):
            for name, value in facts.items():
                trial.set_user_attr(name, value)
            self._storage.set_trial_state_values(trial._trial_id, state, [loss])  # all that samplers have to know
        else:
            super().tell(trial, state, loss, **facts)

    def report(self, trial: Trial, losses: list[float]) -> bool:
        """As of any study; a trial that was given to another process ends here."""
        return self.is_lost(trial) or super().report(trial, losses)

    def is_lost(self, trial: Trial) -> bool:
        """Whether it has shown no sign of life for too long, and was given to another."""
        return not self._is_mine(trial)

    def put_back_orphans(self) -> None:
        """Let the next process have the trials of those that have shown no sign of life."""
        self._looked = time.monotonic()
        for trial in self.trials(TrialState.RUNNING):
            if _is_silent(trial) and _is_silent(self._storage.get_trial(trial._trial_id)):  # still
                self._set_waiting(trial.number)

    def _set_waiting(self, number: int) -> None:
        """As of any study; who takes it next has as long as anybody to show that he lives."""
        self._storage.set_trial_user_attr(self._id(number), "alive", ("", time.time()))
        super()._set_waiting(number)

    def _is_mine(self, trial: Trial) -> bool:
        found = self._now(trial)
        who, _ = found.user_attrs.get("alive", ("", 0))
        if found.state == TrialState.RUNNING and who == self._me:
            return True
        if trial is self._mine:
            self._mine = None
        return False

    def _show_life(self, place: int) -> None:
        self._shown = time.time()
        self._storage.set_trial_user_attr(place, "alive", (self._me, self._shown))

    def _beat(self) -> None:
        while not self._left.wait(BEAT):
            trial = self._mine
            with contextlib.suppress(Exception):  # it has ended just now, or the database is away for a moment
                if trial is not None and self._is_mine(trial):
                    self._show_life(trial._trial_id)


def _is_silent(trial: FrozenTrial) -> bool:
    _, seen = trial.user_attrs.get("alive", ("", time.time()))
    return trial.state == TrialState.RUNNING and time.time() - float(seen) > GONE


def shown(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", url)


def _storage(url: str) -> BaseStorage:
    kind, _, rest = url.partition("://")
    if kind == "grpc":
        return _behind_a_server(rest)
    driver, package = DRIVERS.get(kind, (kind, ""))
    try:
        return RDBStorage(f"{driver}://{rest}", engine_kwargs={"connect_args": _patience(kind)})
    except ModuleNotFoundError:
        raise UsageError(f"--storage {kind}://… needs a driver: pip install '{package or kind}'") from None


def _patience(kind: str) -> dict[str, Any]:
    """Seconds for which a database is waited for that others write to."""
    return {"timeout": 60} if kind == "sqlite" else {}


def _behind_a_server(place: str) -> BaseStorage:
    host, _, port = place.partition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise UsageError(f"--storage grpc://HOST:PORT names a server of Optuna, got grpc://{place}")
    try:
        from optuna.exceptions import ExperimentalWarning
        from optuna.storages import GrpcStorageProxy

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return GrpcStorageProxy(host=host, port=int(port))
    except ImportError:
        raise UsageError("--storage grpc://… needs gRPC: pip install grpcio protobuf") from None
