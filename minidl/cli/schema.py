"""Write the JSON Schema of experiment files, by which editors complete and check them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EXAMPLES = """examples:
  minidl schema                                   to stdout
  minidl schema --out experiments/schema.json     then put this line first in an experiment:
                                                  # yaml-language-server: $schema=schema.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `minidl schema` takes."""
    parser.add_argument("--out", metavar="PATH", type=Path, help="a file to write instead of stdout")


def run(arguments: argparse.Namespace) -> int:
    """Write the schema."""
    from minidl.storage import write_whole
    from minidl.experiment.schema import experiment_schema

    text = json.dumps(experiment_schema(), indent=2) + "\n"
    if arguments.out is None:
        print(text, end="")
    else:
        write_whole(arguments.out, text.encode())
    return 0
