"""Make a file smaller, with a network that learns while it reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from minidl.cli.arguments import Parser, add_runs_folder
from minidl.cli.packing import ENDING, add_packing, read_input, trained_model, write_output

EXAMPLES = f"""examples:
  minidl compress book.txt                       writes book.txt{ENDING}
  minidl compress book.txt --run char_lstm       begins with a trained model, which decompression needs as well
  minidl decompress book.txt{ENDING}

Decompression repeats all that the network computed, to the bit: on the same kernels, kind of processor and NumPy.
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl compress` takes."""
    add_packing(parser, "the file to make smaller", f"the file to write (default: FILE{ENDING})")
    add_runs_folder(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compress, and say what it came to."""
    from minidl.compression import compress

    data = read_input(arguments.file)
    packed = compress(data, trained_model(arguments))
    out = arguments.out or Path(f"{arguments.file}{ENDING}")
    write_output(out, packed, force=arguments.force)
    bits = f", {8 * len(packed) / len(data):.3f} bits a byte" if data else ""
    print(f"wrote {out}: {len(packed):,} bytes of {len(data):,}{bits}")
    return 0
