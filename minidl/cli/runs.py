"""List runs with their state and best validation loss, or compare some of them side by side."""

from __future__ import annotations

import argparse
import logging
from typing import Any

from minidl.cli.arguments import Parser, add_json, add_runs_folder
from minidl.cli.json_output import json_line
from minidl.cli.tables import cell, show_table

logger = logging.getLogger("minidl")
EXAMPLES = """examples:
  minidl runs                                       every run
  minidl runs char_lstm                             those of one experiment
  minidl runs char_lstm/001 char_lstm/003           all that was measured, and the settings in which they differ
"""
HEADINGS = {"best_val_loss": "best val loss", "at_step": "at step", "test_loss": "test loss", "test_measures": "test"}


def add_arguments(parser: Parser) -> None:
    """What `minidl runs` takes."""
    parser.add_argument(
        "names", metavar="NAME[/NUMBER]", nargs="*", default=[], help="runs to compare, or experiments to list"
    )
    add_runs_folder(parser)
    add_json(parser, "a JSON line for each run")


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each run; where several are named, a column for each, with the settings that differ."""
    from minidl.experiment.run.overview import compare, find, listed

    folders = find(arguments.runs, arguments.names)
    compares = len(arguments.names) > 1
    rows = compare(folders) if compares else listed(folders)
    if arguments.json:
        for row in rows:
            print(json_line(row))
    elif rows:
        table = [[HEADINGS.get(name, name), *(_shown(row[name]) for row in rows)] for name in rows[0]]
        show_table(table if compares else [list(line) for line in zip(*table, strict=True)])
    else:
        logger.info("no runs in %s yet: minidl run EXPERIMENT.yaml makes one", arguments.runs.absolute())
    return 0


def _shown(value: Any) -> str:
    """A cell; of several measures the first, so that the table stays narrow."""
    if isinstance(value, dict):
        return next((f"{name.replace('_', ' ')} {cell(number)}" for name, number in value.items()), "")
    return cell(value)
