"""Let a trained model answer about the rows of a file: classes, tags or numbers beside the columns of the input."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from minidl.cli.arguments import Parser, add_json, add_run, number, whole
from minidl.system.errors import UsageError

if TYPE_CHECKING:
    from minidl.predictor.translations import Searching

logger = logging.getLogger("minidl")
EXAMPLES = """examples:
  minidl predict classify_names --data new.csv                     on stdout, as CSV
  minidl predict classify_names/002 --data new.csv --out answers.csv --proba
  minidl predict classify_names --data new.csv --out answers.jsonl    JSON lines; with tabs, as .tsv
  minidl predict forecast_lorenz --data series.csv --ahead 50
  minidl predict tag_python --data lines.csv --json
  minidl predict seq2seq_dates --data dates.csv --beam 5 --n-best 3
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl predict` takes."""
    add_run(parser)
    parser.add_argument("--data", metavar="FILE", required=True, help="rows with the columns that the model reads")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the file to write (default: stdout)")
    parser.add_argument("--proba", action="store_true", help="a column for the probability of each class")
    parser.add_argument("--ahead", metavar="N", type=whole, default=0, help="rows beyond the end of each series")
    parser.add_argument(
        "--beam", metavar="N", type=whole, help="translations: prefixes followed at a time (default: 1)"
    )
    parser.add_argument("--n-best", metavar="N", type=whole, help="translations: so many of each row (default: 1)")
    parser.add_argument(
        "--length-penalty", metavar="A", type=number, help="translations: above 0 longer ones are preferred"
    )
    add_json(parser, "a JSON object for each row")
    parser.add_argument("--force", action="store_true", help="replace the file that --out names")


def run(arguments: argparse.Namespace) -> int:
    """Predict, and write the columns of the input with the answers beside them."""
    from minidl.predictor import Predictor
    from minidl.predictor.writing import write

    if arguments.ahead < 0:
        raise UsageError(f"--ahead should be 0 or more, got {arguments.ahead}")
    as_json, delimiter = _written_as(arguments)
    predictor = Predictor.load(arguments.run, arguments.runs)
    searching = _searching(arguments)
    pieces = predictor.file(arguments.data, each_class=arguments.proba, ahead=arguments.ahead, searching=searching)
    with _opened(arguments.out, arguments.force) as out:
        count = write(pieces, out, as_json=as_json, delimiter=delimiter)
    if unseen := predictor.unseen():
        logger.warning("%s: %s", arguments.data, unseen)
    if arguments.out is not None:
        logger.info("wrote %s (rows: %d)", arguments.out, count)
    return 0


def _written_as(arguments: argparse.Namespace) -> tuple[bool, str]:
    """Whether as JSON lines, and what is between cells else: as --json says, or as the name of the file ends."""
    from minidl.data.sources.table_file import ARROW, BINARY, JSON, TABS

    ending = "" if arguments.out is None else arguments.out.suffix.lower()
    if ending in {*ARROW, *BINARY}:
        raise UsageError(f"{arguments.out}: answers are text: let the name end in .csv, .tsv or .jsonl")
    return arguments.json or ending in JSON, "\t" if ending in TABS else ","


def _searching(arguments: argparse.Namespace) -> Searching | None:
    """How translations are looked for; None where no flag says it."""
    from minidl.predictor.translations import Searching

    given = {name: getattr(arguments, name) for name in ("beam", "n_best", "length_penalty")}
    given = {name: value for name, value in given.items() if value is not None}
    return Searching(**{"beam": given.get("n_best", 1), **given}) if given else None


@contextlib.contextmanager
def _opened(path: Path | None, force: bool) -> Iterator[TextIO]:
    """Where the answers go: a file that is written whole or not at all, or stdout."""
    from minidl.storage.atomic import new_file

    if path is None:
        yield sys.stdout
        return
    with new_file(path, force=force) as file:
        out = io.TextIOWrapper(file, encoding="utf-8", errors="surrogatepass", newline="")
        yield out
        out.detach()
