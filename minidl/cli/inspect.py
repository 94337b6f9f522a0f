"""Show what a run or a model file holds, or what minidl computes with on this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from minidl.cli.arguments import Parser, add_json, add_run
from minidl.cli.json_output import json_line
from minidl.system.errors import UsageError

if TYPE_CHECKING:
    from minidl.model import Model

EXAMPLES = """examples:
  minidl inspect char_lstm
  minidl inspect runs/char_lstm/001/checkpoints/best
  minidl inspect --machine
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl inspect` takes."""
    add_run(parser, required=False)
    parser.add_argument("--machine", action="store_true", help="show the kernels, instructions and threads in use")
    add_json(parser, "a JSON line for each array")


def run(arguments: argparse.Namespace) -> int:
    """Print the table of the model and a line for each of its arrays, or what the machine has."""
    if arguments.machine:
        return _show_machine(arguments.json)
    if arguments.run is None:
        raise UsageError("inspect what? Give a run or a model file, or --machine")
    from minidl.experiment.run.load_model import load_trained
    from minidl.storage.run_folder import model_file

    trained = load_trained(model_file(arguments.run, arguments.runs))
    rows = list(map(_row, trained.model.parameters.items()))
    if arguments.json:
        print("\n".join(map(json_line, rows)))
        return 0
    print(f"{trained.path}\n\n{trained.model}\n")
    progress = trained.archive.meta.get("progress")
    if progress is not None:
        best = "" if progress["best"] is None else f", best validation loss {progress['best']:.4f}"
        print(f"step {progress['step']}{best}\n")
    _show(trained.model, rows)
    return 0


def _show_machine(as_json: bool) -> int:
    from minidl.engine import dispatch, threads
    from minidl.experiment.run.environment import surroundings

    facts = surroundings()
    kept = {name: facts[name] for name in ("kernels", "simd", "processor", "cores", "system", "versions")}
    kept["threads"] = threads.available()
    if as_json:
        print(json_line(kept))
        return 0
    reason = dispatch.missing()
    print(f"kernels      {kept['kernels']}{f' ({reason})' if reason else ''}")
    print(f"instructions {kept['simd'] or 'those of NumPy'}")
    print(f"threads      up to {kept['threads']} of {kept['cores']} processors")
    print(f"processor    {kept['processor']}")
    print(f"versions     {', '.join(f'{name} {version}' for name, version in kept['versions'].items())}")
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
