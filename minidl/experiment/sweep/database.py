"""A study in a database or behind a server, to which processes of any number of machines may write."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import Trial, TrialState

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
        self._ended = threading.Event()

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
                    reason = str(error).partition("\n")[0].replace(self._url, shown(self._url))
                    raise StorageError(f"{shown(self._url)}: no sweep can be kept there ({reason})") from error
                time.sleep(1)
        threading.Thread(target=self._beat, name="minidl-beat", daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()

    def ask(self, most: int, draw: Callable[[Trial], Any]) -> Trial | None:
        """As of any study; what is asked for at the same time and is too much is left for a larger sweep."""
        self.put_back_orphans()
        trial = super().ask(most, draw)
        if trial is None:
            return None
        if trial.number >= most:
            self._set_waiting(trial.number)
            return None
        trial.set_user_attr("by", self._me)
        trial.set_user_attr("seen", time.time())
        self._mine = trial
        return trial

    def put_back(self, trial: Trial) -> None:
        """Leave a trial for whoever comes next, if it is still that of this process."""
        self._mine = None
        if self._is_mine(trial):
            super().put_back(trial)

    def tell(self, trial: Trial, state: TrialState, loss: float | None = None, **facts: Any) -> None:
        """The end of a trial, if it is still that of this process."""
        self._mine = None
        if self._is_mine(trial):
            super().tell(trial, state, loss, **facts)

    def report(self, trial: Trial, losses: list[float]) -> bool:
        """As of any study; a trial that was given to another process ends here."""
        return not self._is_mine(trial) or super().report(trial, losses)

    def put_back_orphans(self) -> None:
        """Leave the trials of processes that have shown no sign of life for whoever comes next."""
        for trial in self.trials(TrialState.RUNNING):
            if time.time() - trial.user_attrs.get("seen", time.time()) > GONE:
                self._set_waiting(trial.number)

    def _is_mine(self, trial: Trial) -> bool:
        found = self.trials()[trial.number]
        return found.state == TrialState.RUNNING and found.user_attrs.get("by") == self._me

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            trial = self._mine
            if trial is not None and self._is_mine(trial):
                trial.set_user_attr("seen", time.time())


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
        from optuna.storages import GrpcStorageProxy

        return GrpcStorageProxy(host=host, port=int(port))
    except ImportError:
        raise UsageError("--storage grpc://… needs gRPC: pip install grpcio protobuf") from None
