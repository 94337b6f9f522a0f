"""Show what a run or a model file holds: the model, how far it was trained, the size of its weights."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from minidl.cli.arguments import Parser, add_json, add_run

if TYPE_CHECKING:
    from minidl.model import Model

EXAMPLES = """examples:
  minidl inspect char_lstm
  minidl inspect runs/char_lstm/001/checkpoints/best
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl inspect` takes."""
    add_run(parser)
    add_json(parser, "a JSON line for each array")


def run(arguments: argparse.Namespace) -> int:
    """Print the table of the model and a line for each of its arrays."""
    from minidl.experiment.run.load_model import load_trained
    from minidl.storage.run_folder import model_file

    trained = load_trained(model_file(arguments.run, arguments.runs))
    rows = list(map(_row, trained.model.parameters.items()))
    if arguments.json:
        print("\n".join(map(json.dumps, rows)))
        return 0
    print(f"{trained.path}\n\n{trained.model}\n")
    progress = trained.archive.meta.get("progress")
    if progress is not None:
        best = "" if progress["best"] is None else f", best validation loss {progress['best']:.4f}"
        print(f"step {progress['step']}{best}\n")
    _show(trained.model, rows)
    return 0


def _row(item: tuple[str, Any]) -> dict[str, Any]:
    import numpy as np

    name, array = item
    numbers = {"mean": array.mean(), "std": array.std(), "largest": np.abs(array).max()}
    return {"array": name, "shape": array.shape, **{key: float(value) for key, value in numbers.items()}}


def _show(model: Model, rows: list[dict[str, Any]]) -> None:
    width = max(len(name) for name in model.parameters)
    print(f"{'array'.ljust(width)}  {'shape':14}  {'mean':>9}  {'std':>9}  {'largest':>9}")
    for row in rows:
        numbers = "  ".join(f"{row[name]:9.4f}" for name in ("mean", "std", "largest"))
        print(f"{row['array'].ljust(width)}  {row['shape']!s:14}  {numbers}")
