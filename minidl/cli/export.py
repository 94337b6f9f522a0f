"""Write a trained model for other programs: its graph as ONNX, its weights as safetensors, or a page that runs it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.cli.arguments import Parser, add_json, add_run
from minidl.cli.json_output import json_line
from minidl.system.errors import UsageError, suggest

if TYPE_CHECKING:
    from minidl.model import Model

FORMATS = ("onnx", "safetensors", "html", "c", "keras")
ENDINGS = {"c": "h", "keras": "weights.h5"}  # of names of files, where that is not the format
NAMES = {"onnx": "ONNX", "html": "a page", "c": "C", "keras": "a file of Keras"}
LAYOUTS = ("keras", "torch")
EXAMPLES = """examples:
  minidl export char_lstm                             the graph, as char_lstm-001.onnx
  minidl export char_lstm/002 --out model.onnx
  minidl export char_lstm --format safetensors        the weights, as lstm/Wx
  minidl export char_lstm --format safetensors --layout torch
                                                      the weights, as lstm.weight_ih_l0 of a state_dict
  minidl export char_lstm --format keras              the weights, as Keras's load_weights reads them
  minidl export char_lstm --format c                  a header in C: weights and a function that computes a step
  minidl export char_lstm --format html               a page that runs it in a browser, see minidl view
  minidl export runs/char_lstm/001/checkpoints/last --json

onnx and safetensors need more than the rest of minidl: pip install 'minidl[export]'
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl export` takes."""
    add_run(parser)
    format_help = "onnx, safetensors, keras, c or html (default: as the name of --out ends, or onnx)"
    parser.add_argument("--format", metavar="FORMAT", help=format_help)
    layout_help = "names and shapes in safetensors: minidl, keras or torch (default: minidl)"
    parser.add_argument("--layout", metavar="LAYOUT", help=layout_help)
    out_help = "the file to write (default: NAME-NUMBER.FORMAT in the working folder)"
    parser.add_argument("--out", metavar="FILE", type=Path, help=out_help)
    add_json(parser, "what was written, as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Export, and say what is in the file."""
    from minidl.experiment.run.load_model import load_trained
    from minidl.storage.run_folder import model_file

    kind = _format(arguments)
    path = model_file(arguments.run, arguments.runs)
    if kind == "html":
        return _write_page(path, arguments)
    trained = load_trained(path)
    out = arguments.out or Path(f"{trained.name}.{ENDINGS.get(kind, kind)}")
    found = _write(trained.model, out, kind, arguments.layout)
    if arguments.json:
        print(json_line({"file": str(out), "format": kind, **found}))
    else:
        _show(out, found)
    return 0


def _format(arguments: argparse.Namespace) -> str:
    """The format that is named, or that the name of the file says."""
    kind = arguments.format
    if kind is None and arguments.out is not None:
        kind = arguments.out.suffix.removeprefix(".")
        kind = {"h": "c", "h5": "keras"}.get(kind, kind)
        if kind not in FORMATS:
            raise UsageError(f"{arguments.out}: say in which format, with --format {' or '.join(FORMATS)}")
    elif kind is None:
        kind = FORMATS[0] if arguments.layout is None else FORMATS[1]
    if kind not in FORMATS:
        near = f"; did you mean --layout {kind}?" if kind in LAYOUTS else suggest(kind, FORMATS)
        raise UsageError(f"there is no format {kind!r}{near} (known: {', '.join(FORMATS)})")
    if kind != "safetensors" and arguments.layout is not None:
        raise UsageError(f"--layout is of safetensors; {NAMES.get(kind, kind)} has a layout of its own")
    return str(kind)


def _write_page(path: Path, arguments: argparse.Namespace) -> int:
    from minidl.experiment.run.looking import Looking

    looking = Looking(path)
    out = arguments.out or Path(f"{looking.name}.html")
    size = looking.write(out)
    print(json_line({"file": str(out), "format": "html", "bytes": size}) if arguments.json else f"wrote {out}")
    return 0


def _write(model: Model, out: Path, kind: str, layout: str | None) -> dict[str, dict[str, Any]]:
    from minidl.exchange import write_c, write_keras, write_onnx, write_safetensors

    if kind == "onnx":
        return write_onnx(model, out)
    if kind == "c":
        return {"arguments": write_c(model, out, out.stem)}
    if kind == "keras":
        return {"arrays": write_keras(model, out)}
    return {"arrays": write_safetensors(model, out, layout or "minidl")}


def _show(out: Path, found: dict[str, dict[str, Any]]) -> None:
    print(f"wrote {out}")
    width = max((len(name) for shapes in found.values() for name in shapes), default=0)
    for what, shapes in found.items():
        print(what)
        for name, shape in shapes.items():
            print(f"  {name.ljust(width)}  ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})")
