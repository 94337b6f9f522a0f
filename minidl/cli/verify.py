"""Train a run once more from what its folder says, and compare it to the bit; nothing is written."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from minidl.cli.arguments import Parser, add_json, add_runs_folder
from minidl.cli.json_output import json_line

if TYPE_CHECKING:
    from minidl.experiment.run.verify import Verdict

EXAMPLES = """examples:
  minidl verify char_lstm            the newest run of that name
  minidl verify char_lstm/002

exits with 5 where a number differs
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl verify` takes."""
    parser.add_argument("run", metavar="RUN", help="a run folder, or NAME or NAME/NUMBER of a run (the newest)")
    add_runs_folder(parser)
    add_json(parser, "one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Verify; NumericsError where the run does not reproduce."""
    from minidl.experiment.run.overview import find
    from minidl.experiment.run.verify import verify
    from minidl.system.errors import NumericsError

    verdict = verify(find(arguments.runs, [arguments.run])[-1])
    if arguments.json:
        facts = {"step": verdict.step, "reproduced": verdict.reproduced}
        print(json_line({**facts, "differing": verdict.differing, "reasons": verdict.reasons}))
    if not verdict.reproduced:
        raise NumericsError(_difference(verdict))
    if not arguments.json:
        print(f"{verdict.checkpoint}: reproduces to the bit ({verdict.step} steps)")
    return 0


def _difference(verdict: Verdict) -> str:
    lines = [f"{verdict.checkpoint}: does not reproduce ({verdict.step} steps)"]
    lines += [f"  {name} {what}" for name, what in verdict.differing.items()]
    lines.append("what may be the reason:")
    lines += [f"  {reason}" for reason in verdict.reasons or ["unknown: its files were changed, or a defect of minidl"]]
    return "\n".join(lines)
