"""List runs with their state and best validation loss, or compare some of them side by side."""

from __future__ import annotations

import argparse
import json
import logging

from minidl.cli.arguments import Parser, add_json, add_runs_folder

logger = logging.getLogger("minidl")
EXAMPLES = """examples:
  minidl runs                                       every run
  minidl runs char_lstm                             those of one experiment
  minidl runs char_lstm/001 char_lstm/003           how they did, and the settings in which they differ
"""
COLUMNS = ("run", "state", "step", "best_val_loss", "at_step", "test_loss", "seconds")


def add_arguments(parser: Parser) -> None:
    """What `minidl runs` takes."""
    parser.add_argument(
        "names", metavar="NAME[/NUMBER]", nargs="*", default=[], help="runs to compare, or experiments to list"
    )
    add_runs_folder(parser)
    add_json(parser, "a JSON line for each run")


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each run; where several are named, a column for each, with the settings that differ."""
    from minidl.experiment.overview import differences, find, summary

    folders = find(arguments.runs, arguments.names)
    rows = [summary(folder) for folder in folders]
    compares = len(arguments.names) > 1
    if compares:
        rows = [{**row, **setting} for row, setting in zip(rows, differences(folders), strict=True)]
    if arguments.json:
        for row in rows:
            print(json.dumps(row))
    elif rows:
        names = list(rows[0]) if compares else COLUMNS
        table = [[name.replace("_", " "), *(_cell(row[name]) for row in rows)] for name in names]
        _print_table(table if compares else [list(line) for line in zip(*table, strict=True)])
    else:
        logger.info("no runs in %s yet: minidl run EXPERIMENT.yaml makes one", arguments.runs.resolve())
    return 0


def _print_table(table: list[list[str]]) -> None:
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)
