"""Rank units by how well their state tells a feature apart: a quotation, the place in a line, a class, a column."""

from __future__ import annotations

import argparse

from minidl.cli.arguments import Parser, add_json, add_run, whole
from minidl.cli.json_output import json_line
from minidl.cli.tables import show_table
from minidl.system.errors import DataError

EXAMPLES = """examples:
  minidl cells char_lstm
  minidl cells char_lstm --most 3
  minidl cells forecast_lorenz --json

the number is the rank correlation of the unit's state with the feature, from -1 to 1
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl cells` takes."""
    add_run(parser)
    parser.add_argument("--most", metavar="N", type=whole, default=5, help="units of a feature (default: 5)")
    add_json(parser, "a JSON line for each feature")


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each feature, with the units that follow it best."""
    from minidl.experiment.run.looking import Looking
    from minidl.storage.run_folder import model_file

    looking = Looking(model_file(arguments.run, arguments.runs))
    features = looking.features(max(1, arguments.most))
    if not features:
        raise DataError("there are no steps to look at: the data of the run is not at hand")
    if arguments.json:
        for feature in features:
            units = [dict(zip(("layer", "unit", "correlation"), unit, strict=True)) for unit in feature.units]
            print(json_line({"feature": feature.name[0], "units": units}))
        return 0
    rows = [[f.name[0], "   ".join(f"{layer} {unit} {score:+.2f}" for layer, unit, score in f.units)] for f in features]
    show_table([["feature", "units, with their rank correlation"], *rows])
    return 0
