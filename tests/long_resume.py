"""Runs cut off at random calls, a hundred times each, and compared to the byte: `python tests/long_resume.py`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from runs import count_calls, finish, left, random_cuts, the_run, write_experiment
from test_resume import SEQUENCES, write_sequences


def differing(cuts: int, kernels: str, **changes: Any) -> int:
    """How many of so many cut runs do not end as the one that nobody interrupts."""
    os.environ["MINIDL_KERNELS"] = kernels
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        whole.mkdir()
        write_sequences(whole)
        write_experiment(whole, **changes)
        calls = count_calls(whole, "tiny.yaml")
        expected = left(the_run(whole))
        for seed in range(cuts):
            folder = Path(place) / str(seed)
            folder.mkdir()
            write_sequences(folder)
            write_experiment(folder, **changes)
            codes = finish(folder, "tiny", "tiny.yaml", cuts=random_cuts(seed, calls))
            found = left(the_run(folder)).differences(expected)
            wrong += bool(found)
            if found:
                print(f"seed {seed}, exit codes {codes}: {found}", flush=True)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=100)
    cuts = parser.parse_args().cuts
    wrong = 0
    for kernels in ("numpy", "numba") if importlib.util.find_spec("numba") else ("numpy",):
        for name, changes in (("text", {}), ("sequences", SEQUENCES)):
            count = differing(cuts, kernels, **changes)
            print(
                f"{name}, {kernels} kernels: {cuts - count} of {cuts} runs end as if they had not been cut", flush=True
            )
            wrong += count
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
