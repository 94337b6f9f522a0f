"""Train an experiment anew, with several seeds, and say whether it comes to what its file expects."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.cli.arguments import Parser, add_json, add_runs_folder
from minidl.cli.json_output import json_line
from minidl.cli.tables import show_table
from minidl.system.errors import NumericsError, UsageError

if TYPE_CHECKING:
    from minidl.experiment.run.reproduce import Reproduction

EXAMPLES = """examples:
  minidl reproduce experiments/char_lstm.yaml
  minidl reproduce --all                         every experiment of experiments/ that says what it comes to
  minidl reproduce --all other/ --out results.md    and a table of them in Markdown

what is expected stands in the file:
  expect: {measures: {test/loss: [1.17, 0.03]}, seeds: [0, 1, 2], minutes: 2, processor: AMD EPYC}

exits with 5 where a measure does not hold
"""
HEAD = ["experiment", "measure", "expected", "found", "spread", "seeds", "minutes", "holds"]


def add_arguments(parser: Parser) -> None:
    """What `minidl reproduce` takes."""
    parser.add_argument(
        "experiment", metavar="EXPERIMENT.yaml", nargs="?", help="the experiment, or a folder with --all"
    )
    parser.add_argument("changes", metavar="key.sub=value", nargs="*", default=[], help="a value instead of the file's")
    parser.add_argument("--all", action="store_true", help="every experiment of the folder that says what it comes to")
    parser.add_argument("--out", metavar="FILE.md", type=Path, help="write the table as Markdown")
    add_runs_folder(parser)
    add_json(parser, "a JSON line for each experiment")


def run(arguments: argparse.Namespace) -> int:
    """Reproduce; NumericsError where a measure is not what it was."""
    from minidl.experiment.run.reproduce import reproduce

    found = []
    for path in _experiments(arguments):
        reproduction = reproduce(path, arguments.runs, arguments.changes)
        found.append(reproduction)
        if arguments.json:
            print(json_line(_plain(reproduction)), flush=True)
    rows = [row for reproduction in found for row in _rows(reproduction)]
    if not arguments.json:
        show_table([HEAD, *rows])
    if arguments.out is not None:
        _write(arguments.out, rows)
    failed = [str(reproduction.experiment) for reproduction in found if not reproduction.holds]
    if failed:
        raise NumericsError(f"does not hold: {', '.join(failed)}")
    return 0


def _experiments(arguments: argparse.Namespace) -> list[Path]:
    from minidl.experiment.run.reproduce import expecting

    if not arguments.all:
        if arguments.experiment is None:
            raise UsageError("name an experiment, or all of a folder with --all")
        return [Path(arguments.experiment)]
    folder = Path(arguments.experiment or "experiments")
    found = list(expecting(folder))
    if not found:
        raise UsageError(f"{folder}: no experiment there has a section `expect`")
    return found


def _rows(reproduction: Reproduction) -> list[list[str]]:
    seeds = ", ".join(map(str, reproduction.expect.seeds))
    return [
        [
            reproduction.experiment.stem,
            measure.tag,
            f"{measure.expected:g} ± {measure.tolerance:g}",
            f"{measure.mean:.4f}",
            f"{measure.spread:.4f}",
            seeds,
            f"{reproduction.seconds / 60:.1f}",
            "yes" if measure.holds else "NO",
        ]
        for measure in reproduction.measures
    ]


def _plain(reproduction: Reproduction) -> dict[str, Any]:
    measures = {
        measure.tag: {
            "expected": measure.expected,
            "tolerance": measure.tolerance,
            "found": list(measure.found),
            "holds": measure.holds,
        }
        for measure in reproduction.measures
    }
    return {
        "experiment": str(reproduction.experiment),
        "holds": reproduction.holds,
        "measures": measures,
        "runs": [str(run) for run in reproduction.runs],
        "seconds": reproduction.seconds,
    }


def _write(out: Path, rows: list[list[str]]) -> None:
    from minidl.experiment.run.environment import processor
    from minidl.storage.atomic import write_whole

    lines = [f"| {' | '.join(row)} |" for row in [HEAD, ["---"] * len(HEAD), *rows]]
    told = f"{date.today().isoformat()}, {processor()}, by `minidl reproduce --all`:"
    write_whole(out, ("\n".join([told, "", *lines]) + "\n").encode())
