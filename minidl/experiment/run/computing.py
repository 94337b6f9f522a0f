"""What computes a run: its kernels, and the number of threads. Both decide the last bits, and belong to the run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minidl.engine import dispatch, threads
from minidl.experiment.build.experiment import Experiment
from minidl.experiment.run.memory_check import check_memory
from minidl.system.processes import processes
from minidl.training.autotune import use_fastest, use_threads

logger = logging.getLogger("minidl")
_in_shares = False


@dataclass(frozen=True)
class Computing:
    """The kernels by name, on how many threads they compute, and whether a batch is summed as several processes do."""

    kernels: str
    threads: int
    in_shares: bool = False

    def to_json(self) -> dict[str, Any]:
        """As run.json and checkpoints hold it."""
        return {"kernels": self.kernels, "threads": self.threads, **({"in_shares": True} if self.in_shares else {})}

    @classmethod
    def from_json(cls, facts: Any) -> Computing | None:
        """What a file says, or None where it says nothing of the kind."""
        if not isinstance(facts, Mapping):
            return None
        kernels, count = facts.get("kernels"), facts.get("threads")
        if isinstance(kernels, str) and isinstance(count, int) and 0 < count <= threads.MOST:
            return cls(kernels, int(count), facts.get("in_shares") is True)
        return None


def set_up(experiment: Experiment, before: Computing | None = None) -> Computing:
    """Choose kernels and threads: those that the experiment names, else those of the run so far, else the fastest.

    To be called by all processes, before the model runs for the first time; process 0 knows of the run so far. Raises
    OutOfMemory where what is chosen takes more memory than there is.
    """
    if not processes().is_first:
        logger.setLevel(logging.ERROR)  # what all are warned of is told by process 0
    before = processes().tell(before)
    wanted = experiment.header
    kernels: str = wanted.kernels
    if kernels in ("auto", "numba"):  # numba: in files of the first release
        kernels = _as_before(before)
    dispatch.select(None if kernels == "auto" else kernels)
    if (reason := dispatch.missing()) is not None:
        logger.warning(reason)
    processes().agree({"kernels": dispatch.in_use()})
    global _in_shares
    _in_shares = processes().are_launched or (before is not None and before.in_shares)
    check_memory(experiment, in_shares=_in_shares)
    count = wanted.threads
    if count == "auto" and _in_shares and dispatch.in_use() == dispatch.NUMPY:
        count = 1  # threads of NumPy's products change their last bits, and a share is small
    if count == "auto" and before is not None and before.kernels == dispatch.in_use():
        count = before.threads
        _warn(count)
    if count == "auto" and processes().size > 1:
        use_threads(max(1, threads.available() // processes().size))
    elif count == "auto":
        use_fastest(experiment.model, experiment.dataset.train.batch(0).inputs)
    else:
        use_threads(count)
    return in_use()


def in_use() -> Computing:
    """What computes now."""
    return Computing(dispatch.in_use(), max(threads.in_use(), threads.blas_in_use()), _in_shares)


def _as_before(before: Computing | None) -> str:
    """The kernels of the run so far, where this machine has them."""
    return before.kernels if before is not None and before.kernels in dispatch.usable() else "auto"


def _warn(count: int) -> None:
    """A run that was begun on more processors goes on as it was begun, only slower."""
    if count > threads.available():
        logger.warning(
            "the run was begun on %d threads, and there are %d processors here: it goes on with %d, to the same bits, "
            "but slowly; threads=%d is quicker",
            *(count, threads.available(), count, threads.available()),
        )
