"""Show what a run or a model file holds: the model, how far it was trained, the size of its weights."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  minidl inspect char_lstm
  minidl inspect runs/char_lstm/001/checkpoints/best
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `minidl inspect` takes."""
    parser.add_argument("run", metavar="RUN", help="a run folder, a model file, or the name of an experiment")
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where runs lie (default: runs)")


def run(arguments: argparse.Namespace) -> int:
    """Print the table of the model and a line for each of its arrays."""
    import numpy as np

    from minidl.archive import read_archive
    from minidl.model import Model
    from minidl.run_folder import model_file

    path = model_file(arguments.run, arguments.runs)
    model, progress = Model.load(path), read_archive(path).meta.get("progress")
    print(f"{path}\n\n{model}\n")
    if progress is not None:
        best = "" if progress["best"] is None else f", best validation loss {progress['best']:.4f}"
        print(f"step {progress['step']}{best}\n")
    width = max(len(name) for name in model.parameters)
    print(f"{'array'.ljust(width)}  {'shape':14}  {'mean':>9}  {'std':>9}  {'largest':>9}")
    for name, array in model.parameters.items():
        numbers = "  ".join(f"{value:9.4f}" for value in (array.mean(), array.std(), np.abs(array).max()))
        print(f"{name.ljust(width)}  {array.shape!s:14}  {numbers}")
    return 0
