"""Show what each symbol or row of a sequence adds to an answer, and how far back the gradient reaches."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from minidl.cli.arguments import Parser, add_json, add_run, whole
from minidl.cli.json_output import json_line
from minidl.system.errors import UsageError

if TYPE_CHECKING:
    from minidl.experiment.run.explaining import Explanation

LAGS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)  # that are printed, as far as the sequence reaches
EXAMPLES = """examples:
  minidl explain char_lstm --text "def f(x): return "         why the next symbol is what it is
  minidl explain char_lstm --text "import numpy" --step 5     the symbol after "import", counted from 0
  minidl explain classify_names --text "GREEK SMALL LETTER ALPHA" --answer Lu
  minidl explain classify_names --data names.csv --row 3 --json
  minidl explain forecast_lorenz --data series.csv --row 500 --out parts.png

parts are integrated gradients: they sum to the answer less what it would be if nothing were read
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl explain` takes."""
    add_run(parser)
    parser.add_argument("--text", metavar="TEXT", help="what is read")
    data_help = "a file whose row is read, instead of a text"
    parser.add_argument("--data", metavar="FILE", help=data_help)
    row_help = "which row of it, from 1 (of a series: the last that is seen)"
    parser.add_argument("--row", metavar="N", type=whole, default=1, help=row_help)
    step_help = "the answer after this step, from 0 (default: after the last)"
    parser.add_argument("--step", metavar="N", type=whole, default=-1, help=step_help)
    answer_help = "which symbol, class or column (default: what came, or the most likely)"
    parser.add_argument("--answer", metavar="NAME", help=answer_help)
    parser.add_argument("--out", metavar="FILE", type=Path, help="a picture of it: .png, .svg or .pdf")
    add_json(parser, "everything as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Explain one answer."""
    from minidl.experiment.run.explaining import explain
    from minidl.experiment.run.looking import Looking
    from minidl.storage.run_folder import model_file

    if (arguments.text is None) == (arguments.data is None):
        raise UsageError("say what is read: --text TEXT, or --data FILE --row N")
    looking = Looking(model_file(arguments.run, arguments.runs))
    text = arguments.text
    sequence = looking.row(arguments.data, arguments.row) if text is None else looking.read(text)
    entry = None if arguments.answer is None else looking.subject.entry(arguments.answer)
    explanation = explain(looking.subject, sequence, arguments.step, entry)
    if arguments.out is not None:
        explanation.save_picture(arguments.out)
    if arguments.json:
        print(json_line(explanation.to_json()))
    else:
        _show(explanation)
    return 0


def _show(explanation: Explanation) -> None:
    """The symbols coloured by their parts on a terminal, a line for each elsewhere; then the influence by lag."""
    print(explanation.headline())
    if sys.stdout.isatty():
        _colour(explanation)
    else:
        width = max(map(len, explanation.shown))
        for symbol, part in zip(explanation.shown, explanation.attribution.parts, strict=True):
            print(f"{symbol.ljust(width)}  {part:+.4f}")
    largest = explanation.lags.max() or 1.0
    print("\ninfluence by lag (mean |gradient times input|)")
    for lag in (lag for lag in LAGS if lag < len(explanation.lags)):
        value = explanation.lags[lag]
        print(f"{lag:5}  {value:9.2e}  {'█' * round(40 * value / largest)}".rstrip())


def _colour(explanation: Explanation) -> None:
    from rich.console import Console
    from rich.text import Text

    largest = max(1e-12, float(abs(explanation.attribution.parts).max()))
    text = Text()
    apart = " " if max(map(len, explanation.shown)) > 1 else ""
    for symbol, part in zip(explanation.shown, explanation.attribution.parts, strict=True):
        share = min(1.0, abs(float(part)) / largest)
        end = (230, 97, 1) if part > 0 else (5, 113, 176)
        red, green, blue = (round(247 + share * (channel - 247)) for channel in end)
        ink = "black" if 0.3 * red + 0.6 * green + 0.1 * blue > 128 else "white"
        text.append(symbol, style=f"{ink} on rgb({red},{green},{blue})")
        text.append("\n" if symbol == "⏎" else apart)
    Console(highlight=False, soft_wrap=True).print(text)
