"""Six steps of every shipped experiment by 1, 2 and 4 processes: `python tests/long_cluster.py [NAME ...]`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from test_cluster import MPIEXEC, ROOT
from test_resume import EXPERIMENTS, in_short

from minidl.engine import dispatch
from minidl.storage.archive import read_archive


def trained(path: Path, folder: Path, count: int) -> dict[str, NDArray[Any]] | str:
    """The arrays of the last checkpoint, or why there is none."""
    launcher = [str(MPIEXEC), "-n", str(count)] if count > 1 else []
    words = [word for word in in_short(path) if not word.startswith("data.batch_size=")]
    command = [*launcher, sys.executable, "-m", "minidl", "run", *words, "data.batch_size=32", "--runs", str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        return "refused: " + next(line for line in ended.stderr.splitlines() if "minidl" in line or ".yaml" in line)
    return read_archive(folder / str(count) / path.stem / "001/checkpoints/last").arrays


def compared(path: Path, count: int, folder: Path, expected: dict[str, NDArray[Any]]) -> str:
    found = trained(path, folder, count)
    if isinstance(found, str):
        return found
    if all(found[name].tobytes() == array.tobytes() for name, array in expected.items()):
        return "the same bits"
    gap = max(float(np.max(np.abs(found[name] - array), initial=0.0)) for name, array in expected.items())
    return f"not the same bits, by {gap:.1e} at most"


def main() -> None:
    for kernels in reversed(list(dispatch.kinds())):
        os.environ["MINIDL_KERNELS"] = kernels
        for path in EXPERIMENTS:
            if path.stem not in (sys.argv[1:] or [path.stem]):
                continue
            with tempfile.TemporaryDirectory() as folder:
                alone = trained(path, Path(folder), 1)
                for count in (2, 4):
                    outcome = alone if isinstance(alone, str) else compared(path, count, Path(folder), alone)
                    print(f"{path.stem}, {kernels} kernels, {count} processes: {outcome}", flush=True)


if __name__ == "__main__":
    main()
