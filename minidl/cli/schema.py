"""Write the JSON Schema of experiment files, by which editors complete and check them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from minidl.cli.arguments import Parser

EXAMPLES = """examples:
  minidl schema                                   to stdout
  minidl schema --out experiments/schema.json     then put this line first in an experiment:
                                                  # yaml-language-server: $schema=schema.json
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl schema` takes."""
    parser.add_argument("--out", metavar="PATH", type=Path, help="a file to write instead of stdout")


def run(arguments: argparse.Namespace) -> int:
    """Write the schema."""
    from minidl.storage.atomic import write_whole

    if arguments.out is None:
        print(schema_text(), end="")
    else:
        write_whole(arguments.out, schema_text().encode())
    return 0


def schema_text() -> str:
    """The schema as files hold it."""
    from minidl.experiment.build.json_schema import experiment_schema

    return json.dumps(experiment_schema(), indent=1, ensure_ascii=False) + "\n"
