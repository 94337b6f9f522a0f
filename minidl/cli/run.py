"""Train an experiment, or go on with a run of it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EXAMPLES = """examples:
  minidl run experiments/char_lstm.yaml
  minidl run experiments/char_lstm.yaml train.epochs=10 optimizer.lr=1e-3
  minidl run experiments/char_lstm.yaml 'optimizer={type: SGD, lr: 0.5, momentum: 0.9}'
  minidl run experiments/char_lstm.yaml --dry-run     check the file, show the model, train nothing
  minidl run experiments/char_lstm.yaml --resume      go on with the newest run of that name
"""
NEWEST = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `minidl run` takes."""
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml", help="the experiment file")
    parser.add_argument("changes", metavar="key.sub=value", nargs="*", help="a value to use instead of the file's")
    parser.add_argument(
        "--resume", metavar="NUMBER", nargs="?", type=int, const=NEWEST, help="go on with the newest run, or this one"
    )
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where runs lie (default: runs)")
    parser.add_argument("--dry-run", action="store_true", help="check everything and show the model; train nothing")
    parser.add_argument("--json", action="store_true", help="results as JSON lines on stdout, for machines")


def run(arguments: argparse.Namespace) -> int:
    """Train; the exit code."""
    from minidl.experiment import read_experiment, resume, train

    experiment = read_experiment(arguments.experiment, arguments.changes)
    if arguments.dry_run:
        from minidl.experiment.preview import preview

        print(preview(experiment, as_json=arguments.json))
        return 0
    if arguments.resume is None:
        outcome = train(experiment, Path(arguments.experiment), arguments.runs, as_json=arguments.json)
    else:
        outcome = resume(experiment, arguments.runs, arguments.resume or None, as_json=arguments.json)
    if arguments.json:
        print(json.dumps({"run": str(outcome.run), "state": outcome.state}))
        return outcome.exit_code
    print(f"\n{outcome.state}: the run lies in {outcome.run}")
    if outcome.exit_code:
        print(f"go on with: python -m minidl.run {arguments.experiment} --resume")
    print(f"view it with: tensorboard --logdir {arguments.runs}")
    return outcome.exit_code
