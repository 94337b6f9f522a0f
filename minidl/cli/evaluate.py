"""Measure a trained model on its own validation and test data, or on another text."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EXAMPLES = """examples:
  minidl evaluate char_lstm
  minidl evaluate runs/char_lstm/002 --data other.txt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `minidl evaluate` takes."""
    parser.add_argument("run", metavar="RUN", help="a run folder, a checkpoint, or the name of an experiment")
    parser.add_argument("--data", metavar="PATH", help="a text to measure on instead of the run's own data")
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where runs lie (default: runs)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, for machines")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and print a line for each measure."""
    from minidl.experiment.measure import measure
    from minidl.run_folder import model_file

    results = measure(model_file(arguments.run, arguments.runs), arguments.data)
    if arguments.json:
        print(json.dumps(results))
    else:
        width = max(map(len, results))
        for name, value in results.items():
            print(f"{name.ljust(width)}  {value:.4f}")
    return 0
