"""Take weights of PyTorch, Keras or ONNX into the model of an experiment, and write it as a model file."""

from __future__ import annotations

import argparse
from pathlib import Path

from minidl.cli.arguments import Parser, add_experiment, add_json
from minidl.cli.json_output import json_line

EXAMPLES = """examples:
  minidl import weights.safetensors experiments/char_lstm.yaml --layout torch --out model.npz
  minidl import model.keras experiments/char_lstm.yaml --layout keras --out model.npz
  minidl import model.onnx experiments/char_lstm.yaml --out model.npz
  minidl import weights.npz experiments/char_lstm.yaml model.layers.1.units=64 --out model.npz

`minidl sample model.npz` and all other verbs take the file that it writes.
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl import` takes."""
    weights_help = "a file of weights: .safetensors, .npz, .weights.h5, .keras or .onnx"
    parser.add_argument("weights", metavar="WEIGHTS", type=Path, help=weights_help)
    add_experiment(parser)
    layout_help = "how the file names and shapes arrays: torch, keras or minidl (default: minidl; ONNX has its own)"
    parser.add_argument("--layout", metavar="LAYOUT", default="minidl", help=layout_help)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the model file to write")
    parser.add_argument("--force", action="store_true", help="replace the file that --out names")
    add_json(parser, "what was written, as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Import, and say what the model holds now."""
    from minidl.experiment import read_experiment
    from minidl.storage.archive import write_archive
    from minidl.storage.atomic import refuse_existing

    if not arguments.force:
        refuse_existing(arguments.out)
    experiment = read_experiment(arguments.experiment, arguments.changes)
    model = experiment.model
    model.load_weights(arguments.weights, arguments.layout)
    about = {"model": model.config(), "experiment": experiment.resolved(), "data": experiment.dataset.digest}
    write_archive(arguments.out, {f"parameters/{name}": array for name, array in model.parameters.items()}, about)
    shapes = {name: list(array.shape) for name, array in model.parameters.items()}
    if arguments.json:
        print(json_line({"file": str(arguments.out), "arrays": shapes}))
    else:
        print(f"wrote {arguments.out}\n\n{model}")
    return 0
