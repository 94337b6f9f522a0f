"""Measure a trained model on its own validation and test data, or on another text."""

from __future__ import annotations

import argparse
from typing import Any

from minidl.cli.arguments import Parser, add_json, add_run
from minidl.cli.json_output import json_line
from minidl.cli.reading_bar import reading_bar
from minidl.cli.tables import cell, show_table

EXAMPLES = """examples:
  minidl evaluate char_lstm
  minidl evaluate char_lstm/002 --data other.txt
  minidl evaluate runs/char_lstm/002/checkpoints/last --json
  minidl evaluate char_lstm --adapt tune              also with weights that learn while they read
"""
ADAPT = ("default", "tune")
WIDEST = 24  # classes of a confusion matrix that is shown as a table


def add_arguments(parser: Parser) -> None:
    """What `minidl evaluate` takes."""
    add_run(parser)
    parser.add_argument(
        "--data", metavar="PATH", help="a file to measure on instead of the run's own data; of a pair INPUT,OUTPUT"
    )
    adapt_help = "also let a copy learn from what it has read; tune: choose how on the validation part"
    parser.add_argument("--adapt", nargs="?", choices=ADAPT, const="default", help=adapt_help)
    add_json(parser, "one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and print a line for each measure, and a table for each report."""
    from minidl.experiment.run.evaluate import measure
    from minidl.storage.run_folder import model_file

    path = model_file(arguments.run, arguments.runs)
    with reading_bar():
        found = measure(path, arguments.data)
    measures = found.measures
    if arguments.adapt is not None:
        from minidl.experiment.run.evaluate_adapting import measure_adapting

        measures = measures | measure_adapting(path, arguments.data, tuned=arguments.adapt == "tune")
    if arguments.json:
        print(json_line(measures | found.details))
        return 0
    width = max(map(len, measures))
    for name, value in measures.items():
        print(f"{name.ljust(width)}  {value:.4f}")
    for tag, report in found.details.items():
        _show(tag, report, found.details)
    return 0


def _show(tag: str, report: Any, details: dict[str, Any]) -> None:
    """A report as a table."""
    part, _, kind = tag.partition("/")
    if kind == "confusion":
        names = list(details[f"{part}/classes"])
        if len(names) > WIDEST:
            print(f"\n{tag}: {len(names)} classes are too many for a table here; --json has it")
            return
        print(f"\n{tag} (rows: what it is, columns: what it was taken for)")
        lines = [[name, *map(str, counts)] for name, counts in zip(names, report, strict=True)]
        show_table([["", *names], *lines])
        return
    print(f"\n{tag}")
    rows = {name: _flat(row) for name, row in report.items()}
    headings = list(dict.fromkeys(heading for row in rows.values() for heading in row))
    lines = [[name, *(cell(row.get(heading)) for heading in headings)] for name, row in rows.items()]
    show_table([["", *headings], *lines])


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """What is measured of a number by one heading each: "naive mae", "mae +3"."""
    flat = {name: value for name, value in row.items() if not isinstance(value, dict | list)}
    flat |= {f"naive {name}": value for name, value in row.get("naive", {}).items()}
    return flat | {f"mae +{k + 1}": step["mae"] for k, step in enumerate(row.get("steps", []))}
