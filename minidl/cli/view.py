"""See a trained model think: write a page that runs it, and open it in the browser."""

from __future__ import annotations

import argparse
import tempfile
import webbrowser
from pathlib import Path

from minidl.cli.arguments import Parser, add_json, add_run
from minidl.cli.json_output import json_line

EXAMPLES = """examples:
  minidl view char_lstm
  minidl view char_lstm/002 --text "The quick brown fox"
  minidl view classify_names --no-open                only write the page, and say where
  minidl export char_lstm --format html --out page.html

the page needs no network and no server: it can be sent to others as a file
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl view` takes."""
    add_run(parser)
    parser.add_argument("--text", metavar="TEXT", help="what the page reads first (default: some of the data)")
    parser.add_argument("--no-open", action="store_true", help="do not open the page")
    add_json(parser, "where the page lies, as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Write the page to a temporary place, say where, and open it."""
    from minidl.experiment.run.looking import Looking
    from minidl.storage.run_folder import model_file

    looking = Looking(model_file(arguments.run, arguments.runs))
    path = Path(tempfile.mkdtemp(prefix="minidl-")) / f"{looking.name}.html"
    size = looking.write(path, arguments.text)
    opened = not arguments.no_open and _open(path)
    if arguments.json:
        print(json_line({"file": str(path), "bytes": size, "opened": opened}))
    else:
        print(f"{'opened' if opened else 'open in a browser:'} {path.as_uri()}")
    return 0


def _open(path: Path) -> bool:
    """Whether a browser with windows took the page; one for terminals would run no script."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    return type(browser) is not webbrowser.GenericBrowser and browser.open(path.as_uri())
