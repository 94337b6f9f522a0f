"""Prove the gradients of an experiment's model: every parameter and every input, by the complex step."""

from __future__ import annotations

import argparse

EXAMPLES = """examples:
  minidl check experiments/char_lstm.yaml
  minidl check experiments/char_lstm.yaml model.layers.1.units=16
"""
STEPS, STREAMS = 6, 3  # enough for every term of a gradient to count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `minidl check` takes."""
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml", help="the experiment file")
    parser.add_argument("changes", metavar="key.sub=value", nargs="*", help="a value to use instead of the file's")


def run(arguments: argparse.Namespace) -> int:
    """Check, and print a table by array; NumericsError where a gradient is wrong."""
    from minidl.errors import NumericsError
    from minidl.experiment import read_experiment
    from minidl.gradcheck import gradcheck

    experiment = read_experiment(arguments.experiment, arguments.changes)
    inputs = experiment.dataset.train.batch(0).inputs
    few = {name: array[:STEPS, :STREAMS] if array.ndim > 1 else array[:STREAMS] for name, array in inputs.items()}
    checks = gradcheck(experiment.model, few)
    width = max(len(check.array) for check in checks)
    print(f"{'array'.ljust(width)}  {'shape':14}  relative error")
    for check in checks:
        print(f"{check.array.ljust(width)}  {check.shape!s:14}  {check.error:.1e}{'' if check.passed else '  WRONG'}")
    worst = max(checks, key=lambda check: check.error)
    wrong = [check.array for check in checks if not check.passed]
    if wrong:
        raise NumericsError(f"the gradient is wrong for {', '.join(wrong)} (tolerance {worst.tolerance:.0e})")
    print(f"all gradients are right: largest relative error {worst.error:.1e}, tolerance {worst.tolerance:.0e}")
    return 0
