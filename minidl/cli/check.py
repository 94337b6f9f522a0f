"""Prove the layers of an experiment, each by itself, and the gradients of its model: every parameter and input."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from minidl.cli.arguments import Parser, add_experiment, add_json
from minidl.cli.colours import show
from minidl.cli.json_output import json_line

if TYPE_CHECKING:
    from minidl.data import Dataset
    from minidl.graph.arrays import Array
    from minidl.testing.gradcheck import Check

EXAMPLES = """examples:
  minidl check experiments/char_lstm.yaml
  minidl check experiments/char_lstm.yaml model.layers.1.units=16

exits with 5 where a layer or a gradient is wrong
"""
STEPS, STREAMS = 6, 3  # enough for every term of a gradient to count


def add_arguments(parser: Parser) -> None:
    """What `minidl check` takes."""
    add_experiment(parser)
    add_json(parser, "a JSON line for each array")


def run(arguments: argparse.Namespace) -> int:
    """Check, and print a table by array; NumericsError where a layer or a gradient is wrong."""
    from minidl.experiment import read_experiment
    from minidl.system.errors import NumericsError
    from minidl.testing.check_model import wrong_layers
    from minidl.testing.gradcheck import gradcheck

    experiment = read_experiment(arguments.experiment, arguments.changes)
    feeds = few(experiment.dataset)
    layers = wrong_layers(experiment.model, feeds)
    if layers:
        raise NumericsError("\n".join(layers))
    checks = gradcheck(experiment.model, feeds)
    if arguments.json:
        for check in checks:
            print(json_line({**dataclasses.asdict(check), "passed": check.passed}))
    else:
        _show(checks)
    wrong = [check.array for check in checks if not check.passed]
    if wrong:
        raise NumericsError(f"the gradient is wrong for {', '.join(wrong)}")
    return 0


def few(dataset: Dataset) -> dict[str, Array]:
    """Some steps of some sequences; all steps where there are lengths, which may reach to the end."""
    specs = {name: spec.shape for name, spec in dataset.inputs.items()}
    has_lengths = any(shape == ("B",) for name, shape in specs.items() if name != "targets")
    kept: dict[int | str, int | None] = {"T": None if has_lengths else STEPS, "B": STREAMS}
    batch = dataset.train.batch(0).inputs
    return {name: array[tuple(slice(kept.get(axis)) for axis in specs[name])] for name, array in batch.items()}


def _show(checks: list[Check]) -> None:
    width = max(len(check.array) for check in checks)
    lines = [f"{'array'.ljust(width)}  {'shape':14}  relative error"]
    for check in checks:
        wrong = "" if check.passed else "  WRONG"
        lines.append(f"{check.array.ljust(width)}  {check.shape!s:14}  {check.error:.1e}{wrong}")
    if all(check.passed for check in checks):
        worst = max(checks, key=lambda check: check.error)
        largest = f"largest relative error {worst.error:.1e}, tolerance {worst.tolerance:.0e}"
        lines.append(f"all gradients are right: {largest}")
    show("\n".join(lines), {r"\A.*": "bold", r"WRONG$": "bold red", r"^all gradients are right": "green"})
