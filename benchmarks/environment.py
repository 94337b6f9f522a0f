"""The settings of a process that has to be in place before a library is imported: threads and cores."""

from __future__ import annotations

import os

ONE_THREAD_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
THREAD_COUNTS = ("OPENBLAS", "OMP", "MKL", "VECLIB")
KERNELS = {"minidl-numpy": "numpy", "minidl-c": "c"}


def environment(peer: str, threads: int, setting: str = "") -> dict[str, str]:
    """The environment of a peer in a setting that is to use so many threads.

    >>> environment("torch", 2)["OMP_NUM_THREADS"]
    '2'
    """
    counts = {f"{name}_{'MAXIMUM' if name == 'VECLIB' else 'NUM'}_THREADS": str(threads) for name in THREAD_COUNTS}
    kernels = {"MINIDL_KERNELS": KERNELS[peer]} if peer in KERNELS else {}
    xla = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ONE_THREAD_XLA if threads == 1 else ""}
    keras = {"KERAS_BACKEND": setting, "TF_CPP_MIN_LOG_LEVEL": "3"} if peer == "keras" else {}
    return {**os.environ, **counts, **kernels, **xla, **keras}


def hold_to_cores(threads: int) -> None:
    """As many cores as threads, where the system can do that: no library gets help that its settings don't count."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
