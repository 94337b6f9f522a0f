"""The processes of one run, started together by `mpiexec`: who they are, and what they tell each other.

MPI does the work (mpi4py, the extra `[cluster]`). A process that was started alone needs none of it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from minidl.system.errors import UsageError
from minidl.system.meeting import meet, tell_launcher

SILENCE = 1.0  # seconds in which process 0 alone may speak, and in which all come to the same end if they do
PASSED_ON = 0.2  # seconds in which the launcher passes on what was said, before it hears that all is to end
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS")  # how launchers say how many there are

_together: Processes | None = None


class Processes:
    """As many processes as mpiexec has started; `rank` counts from 0, which alone writes and shows."""

    def __init__(self, communicator: Any = None) -> None:
        self._world, self._communicator = communicator, communicator and communicator.Dup()
        self.rank: int = 0 if communicator is None else communicator.Get_rank()
        self.size: int = 1 if communicator is None else communicator.Get_size()

    @property
    def are_launched(self) -> bool:
        """Whether a launcher has started them; it may have started one."""
        return self.size > 1 or any(os.environ.get(name) for name in SIZES)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes, shows and decides."""
        return self.rank == 0

    def tell(self, message: Any = None) -> Any:
        """What process 0 says, heard by all."""
        return message if self.size == 1 else self._communicator.bcast(message, root=0)

    def collect(self, message: Any = None) -> list[Any]:
        """What each process says, heard by all, in their order."""
        return [message] if self.size == 1 else list(self._communicator.allgather(message))

    def gather(self, vector: Any, room: Any) -> None:
        """The vector of each process, in the rows of an array (size, n)."""
        self._communicator.Allgather(vector, room)

    def second_communicator(self) -> Any:
        """Between the same processes, for what is not part of the training."""
        return self._communicator.Dup()

    def all_end(self) -> Callable[[], bool]:
        """Say that this process ends; what is returned tells whether all have said so by now."""
        said = self._world.Ibarrier()
        return lambda: bool(said.Test())

    def abort(self, code: int) -> None:
        """End all processes at once; the launcher ends with this code."""
        sys.stderr.flush()
        time.sleep(PASSED_ON)
        tell_launcher(code)
        self._communicator.Abort(code)

    def agree(self, facts: Mapping[str, Any]) -> None:
        """UsageError where the processes do not see the same: other versions, other data, another experiment."""
        for rank, others in enumerate(self.collect(dict(facts))):
            differing = [name for name in facts if others.get(name) != facts[name]]
            if differing:
                name = differing[0]
                raise UsageError(
                    f"processes {self.rank} and {rank} of {self.size} differ in {', '.join(differing)} "
                    f"({name}: {facts[name]} and {others.get(name)}): give all machines the same"
                )


def end_together(code: int, show: Callable[[str], None]) -> None:
    """Show an error, and end all processes with this code where there are several.

    show: is given what to add to the name of the program. What goes wrong everywhere is told by process 0 alone, and
    each ends by itself, for a launcher that is told to end all may lose what was said.
    """
    try:
        together = processes()
    except UsageError:  # which is what there is to show
        together = Processes()
    if together.size == 1:
        return show("")
    who = f" (process {together.rank} of {together.size})"
    everywhere = together.all_end()
    if together.is_first:
        show(who)
        sys.stderr.flush()
    end = time.monotonic() + SILENCE
    while not (ended := everywhere()) and time.monotonic() < end:
        time.sleep(SILENCE / 100)
    if not ended:
        if not together.is_first:
            show(who)
        together.abort(code)
    return None


def processes(limit: float = 60.0) -> Processes:
    """The processes of this run; UsageError where several were started and the extra is missing.

    limit: seconds for which the others are waited for, when this is called for the first time.
    """
    global _together
    if _together is None:
        _together = _started(limit)
    return _together


def _started(limit: float) -> Processes:
    if not any(os.environ.get(name, "1") not in ("", "1") for name in SIZES):
        return Processes()
    try:
        return Processes(meet(limit))
    except (ImportError, RuntimeError, OSError):
        raise UsageError(
            "mpiexec has started several processes, and mpi4py with an MPI library is missing: "
            "pip install 'minidl[cluster]' in the environment of each"
        ) from None
