"""MPI begins for all processes of a run at once, when the last of them has come; they do not wait for ever.

A process that waits is inside of MPI. A timer can end it meanwhile only since MPI is begun by way of ctypes, which lets
other threads go on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK")  # how launchers say who a process is
EXIT_CODE = 74
MULTIPLE = 3  # MPI_THREAD_MULTIPLE: several threads may send at the same time
APART = 1.0  # seconds between two processes that would say the same: the first of them ends all


def meet(limit: float) -> Any:
    """The communicator of all processes; ends this one with 74 and a message where others have not come by then."""
    import mpi4py

    mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
    from mpi4py import MPI

    if not MPI.Is_initialized():
        timer = threading.Timer(limit, _give_up, (limit,))
        timer.daemon = True
        timer.start()
        begin = getattr(ctypes.CDLL(MPI.__file__), "MPI_Init_thread", None)
        if begin is None:  # an MPI that hides it
            MPI.Init_thread()
        else:
            begin(None, None, MULTIPLE, ctypes.byref(ctypes.c_int()))
        timer.cancel()
    return MPI.COMM_WORLD


def tell_launcher(code: int) -> None:
    """Ask the launcher of MPICH to end all with this code, and wait until it has; another launcher is not asked.

    MPI_Abort asks as well, but ends this process meanwhile. A launcher that is kept waiting by a busy machine may take
    that for the end of the run, and the code of a process that it has killed (9) for that of all.
    """
    with contextlib.suppress(OSError, KeyError, ValueError):
        os.write(int(os.environ["PMI_FD"]), f"cmd=abort exitcode={code}\n".encode())
        time.sleep(APART)


def _give_up(limit: float) -> None:
    rank = next((os.environ[name] for name in RANKS if name in os.environ), "0")
    time.sleep(APART * int(rank))
    stopped = _stopped_ones()
    who = f"process {', '.join(stopped)} is stopped" if stopped else "one of the others, perhaps on another machine"
    sys.stderr.write(
        f"minidl: process {rank} has waited {limit:g} s for all to begin: {who}; all end here "
        "(processes.timeout is how long one is waited for)\n"
    )
    sys.stderr.flush()
    time.sleep(APART / 5)  # in which the launcher passes that on
    tell_launcher(EXIT_CODE)  # MPI, which has not begun, cannot
    os._exit(EXIT_CODE)


def _stopped_ones() -> list[str]:
    """Who of those that the same launcher has started here does not go on, where the system tells."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            told = (process / "environ").read_text(errors="replace").split("\0") if parent == str(os.getppid()) else []
        except OSError:  # it has ended, or is somebody else's
            continue
        ranks = [value for name, _, value in (item.partition("=") for item in told) if name in RANKS]
        found += ranks[:1] if state == "T" else []
    return sorted(found)
