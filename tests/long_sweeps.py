"""Workers of a sweep killed at random, on a real PostgreSQL and a real gRPC server: `python tests/long_sweeps.py`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from runs import write_experiment
from test_sweep import QUICK, storages, survive_kills

KILLS, TRIALS = 25, 40


def main() -> int:
    for name, storage in storages.STORAGES.items():
        with tempfile.TemporaryDirectory() as folder, storage() as url:
            os.chdir(folder)
            write_experiment(Path(folder), **QUICK)
            survive_kills(Path(folder), url, KILLS, TRIALS)
            print(
                f"{name}: {KILLS} workers killed, {TRIALS} trials, each run once to its end, to the same losses",
                flush=True,
            )
            os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
