"""List runs with their state and best validation loss, or compare some of them side by side."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EXAMPLES = """examples:
  minidl runs                                       every run, newest last
  minidl runs char_lstm/001 char_lstm/003           what differs between them, and how they did
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `minidl runs` takes."""
    parser.add_argument("names", metavar="NAME[/NUMBER]", nargs="*", help="runs to compare, or experiments to list")
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where runs lie (default: runs)")
    parser.add_argument("--json", action="store_true", help="a JSON line for each run, for machines")


def run(arguments: argparse.Namespace) -> int:
    """Print a table of runs; where several runs are named, of what differs between them."""
    from minidl.experiment.overview import differences, find, summary

    folders = find(arguments.runs, arguments.names)
    if arguments.json:
        for folder in folders:
            print(json.dumps(summary(folder)))
        return 0
    rows = [summary(folder) for folder in folders]
    columns = ["run", "state", "step", "best_val_loss", "test_loss", "seconds"]
    if len(arguments.names) > 1:
        settings = differences(folders)
        columns += sorted({name for setting in settings for name in setting})
        rows = [{**row, **setting} for row, setting in zip(rows, settings, strict=True)]
    _print_table(rows, columns)
    return 0


def _print_table(rows: list[dict[str, object]], columns: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(highlight=False).print(table)


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
