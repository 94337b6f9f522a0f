"""What `compress` and `decompress` take alike: a file, a model, and where to write."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidl.cli.arguments import Parser

if TYPE_CHECKING:
    from minidl.model import Model

ENDING = ".minidl"


def add_packing(parser: Parser, file_help: str, out_help: str) -> None:
    """The arguments of both verbs."""
    parser.add_argument("file", metavar="FILE", help=file_help)
    run_help = "a model of characters to begin with: a run folder, a model file, NAME or NAME/NUMBER"
    parser.add_argument("--run", metavar="RUN", help=run_help)
    parser.add_argument("--out", metavar="FILE", type=Path, help=out_help)
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def read_input(name: str) -> bytes:
    """The bytes of a file."""
    from minidl.data.sources import find_file, read_file

    return read_file(find_file(name, Path()))


def write_output(out: Path, data: bytes, *, force: bool) -> None:
    """Write a file whole or not at all; one that is there is left alone, unless it is to be replaced."""
    from minidl.storage.atomic import refuse_existing, write_whole

    refuse_existing(out, force=force)
    write_whole(out, data)


def trained_model(arguments: argparse.Namespace) -> Model | None:
    """The model that is named, if any."""
    from minidl.experiment.run.load_model import load_trained
    from minidl.storage.run_folder import model_file

    return None if arguments.run is None else load_trained(model_file(arguments.run, arguments.runs)).model
