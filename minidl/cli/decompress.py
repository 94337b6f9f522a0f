"""Bring back a file that `minidl compress` has made smaller."""

from __future__ import annotations

import argparse
from pathlib import Path

from minidl.cli.arguments import Parser, add_runs_folder
from minidl.cli.packing import ENDING, add_packing, read_input, trained_model, write_output
from minidl.system.errors import MinidlError, UsageError

EXAMPLES = f"""examples:
  minidl decompress book.txt{ENDING}                   writes book.txt
  minidl decompress book.txt{ENDING} --out copy.txt
  minidl decompress book.txt{ENDING} --run char_lstm   where it was compressed with that model
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl decompress` takes."""
    add_packing(parser, "the file that was made smaller", f"the file to write (default: its name without {ENDING})")
    add_runs_folder(parser)


def run(arguments: argparse.Namespace) -> int:
    """Decompress; nothing is written where a bit of the file is wrong."""
    from minidl.compression import decompress

    out = arguments.out
    if out is None and not arguments.file.endswith(ENDING):
        raise UsageError(f"{arguments.file} does not end in {ENDING}: name the file to write, with --out")
    packed = read_input(arguments.file)
    try:
        data = decompress(packed, trained_model(arguments))
    except MinidlError as error:
        raise type(error)(f"{arguments.file}: {error}") from None
    out = out or Path(arguments.file.removesuffix(ENDING))
    write_output(out, data, force=arguments.force)
    print(f"wrote {out}: {len(data):,} bytes")
    return 0
