"""Measure a trained model on its own validation and test data, or on another text."""

from __future__ import annotations

import argparse
import json

from minidl.cli.arguments import Parser, add_json, add_run

EXAMPLES = """examples:
  minidl evaluate char_lstm
  minidl evaluate char_lstm/002 --data other.txt
  minidl evaluate runs/char_lstm/002/checkpoints/last --json
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl evaluate` takes."""
    add_run(parser)
    parser.add_argument("--data", metavar="PATH", help="a text to measure on instead of the run's own data")
    add_json(parser, "one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and print a line for each measure."""
    from minidl.experiment.run.evaluate import measure
    from minidl.storage.run_folder import model_file

    results = measure(model_file(arguments.run, arguments.runs), arguments.data)
    if arguments.json:
        print(json.dumps(results))
        return 0
    width = max(map(len, results))
    for name, value in results.items():
        print(f"{name.ljust(width)}  {value:.4f}")
    return 0
