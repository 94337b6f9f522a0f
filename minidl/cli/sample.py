"""Let a trained model write."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minidl.model import Model
    from minidl.sampling import Choice

EXAMPLES = """examples:
  minidl sample char_lstm --prime "The " --length 500
  minidl sample runs/char_lstm/002 --temperature 0.7 --top-p 0.9 --seed 1
  echo "To be" | minidl sample char_lstm --prime -
  minidl sample char_lstm --chat                      answers each line that you type
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `minidl sample` takes."""
    parser.add_argument("run", metavar="RUN", help="a run folder, a model file, or the name of an experiment")
    parser.add_argument("--prime", metavar="TEXT", default="\n", help="what to go on from; - reads it from stdin")
    parser.add_argument("--prime-file", metavar="PATH", type=Path, help="read the prime from a file")
    parser.add_argument("--length", metavar="N", type=int, default=500, help="symbols to write (default: 500)")
    parser.add_argument("--temperature", metavar="X", type=float, default=1.0, help="1 as trained, 0 most likely")
    parser.add_argument("--top-k", metavar="N", type=int, help="draw from the N most likely symbols only")
    parser.add_argument("--top-p", metavar="P", type=float, help="draw from the fewest symbols that hold this share")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the draws (default: 0)")
    parser.add_argument("--chat", action="store_true", help="go on from each line that is typed, until end of input")
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where runs lie (default: runs)")


def run(arguments: argparse.Namespace) -> int:
    """Write symbols as they are drawn."""
    from minidl.errors import UsageError
    from minidl.model import Model
    from minidl.run_folder import model_file
    from minidl.sampling import Choice

    if arguments.length < 1:
        raise UsageError(f"--length should be 1 or more, got {arguments.length}")
    choice = Choice(arguments.temperature, arguments.top_k, arguments.top_p)
    model = Model.load(model_file(arguments.run, arguments.runs))
    primes = (line for line in sys.stdin) if arguments.chat else [_prime(arguments)]
    for turn, prime in enumerate(primes):
        _write(model, prime, arguments.length, choice, arguments.seed + turn)
    return 0


def _write(model: Model, prime: str, length: int, choice: Choice, seed: int) -> None:
    from minidl.sampling import sample_text

    if prime.strip():
        print(prime, end="", flush=True)
    for piece in sample_text(model, prime=prime, length=length, choice=choice, seed=seed):
        print(piece, end="", flush=True)
    print()


def _prime(arguments: argparse.Namespace) -> str:
    from minidl.data.sources import read_text

    if arguments.prime_file is not None:
        return read_text(str(arguments.prime_file), Path())
    return sys.stdin.read() if arguments.prime == "-" else str(arguments.prime)
