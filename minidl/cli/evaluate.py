"""Measure a trained model on its own validation and test data, or on another text."""

from __future__ import annotations

import argparse
import json

from minidl.cli.arguments import Parser, add_json, add_run

EXAMPLES = """examples:
  minidl evaluate char_lstm
  minidl evaluate char_lstm/002 --data other.txt
  minidl evaluate runs/char_lstm/002/checkpoints/last --json
  minidl evaluate char_lstm --adapt tune              also with weights that learn while they read
"""
ADAPT = ("default", "tune")


def add_arguments(parser: Parser) -> None:
    """What `minidl evaluate` takes."""
    add_run(parser)
    parser.add_argument("--data", metavar="PATH", help="a text to measure on instead of the run's own data")
    adapt_help = "also let a copy learn from what it has read; tune: choose how on the validation part"
    parser.add_argument("--adapt", nargs="?", choices=ADAPT, const="default", help=adapt_help)
    add_json(parser, "one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and print a line for each measure."""
    from minidl.experiment.run.evaluate import measure
    from minidl.storage.run_folder import model_file

    path = model_file(arguments.run, arguments.runs)
    results = measure(path, arguments.data)
    if arguments.adapt is not None:
        from minidl.experiment.run.evaluate_adapting import measure_adapting

        results |= measure_adapting(path, arguments.data, tuned=arguments.adapt == "tune")
    if arguments.json:
        print(json.dumps(results))
        return 0
    width = max(map(len, results))
    for name, value in results.items():
        print(f"{name.ljust(width)}  {value:.4f}")
    return 0
