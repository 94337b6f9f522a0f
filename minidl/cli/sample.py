"""Let a trained model write."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.cli.arguments import Parser, add_run, number, whole
from minidl.system.persistent_signals import until_heard

if TYPE_CHECKING:
    from minidl.experiment.run.load_model import Trained
    from minidl.model import Model
    from minidl.training.adapting import AdaptingModel

logger = logging.getLogger("minidl")
EXAMPLES = """examples:
  minidl sample char_lstm --prime "The " --length 500
  minidl sample char_lstm/002 --temperature 0.7 --top-p 0.9 --seed 1
  minidl sample char_lstm --samples 5 --min-p 0.1 --stop "\\n\\n"
  minidl sample char_lstm --prime-file opening.txt
  echo "To be" | minidl sample char_lstm --prime -
  minidl sample names_documents --samples 20          documents end by themselves; how many are new is told
  minidl sample char_lstm --chat                      goes on from each line that you type
  minidl sample char_lstm --chat --adapt              and learns from it

in a chat Ctrl-C ends an answer, Ctrl-D the conversation
"""
STDIN = "-"
CONTEXT = 2000  # characters of a conversation that the model reads again at each turn


def add_arguments(parser: Parser) -> None:
    """What `minidl sample` takes."""
    add_run(parser)
    parser.add_argument("--prime", metavar="TEXT", help="what to go on from; - reads stdin (default: a new line)")
    parser.add_argument("--prime-file", metavar="PATH", type=Path, help="read the prime from a file")
    parser.add_argument("--length", metavar="N", type=whole, default=500, help="symbols to write (default: 500)")
    parser.add_argument("--temperature", metavar="X", type=number, default=1.0, help="1 as trained, 0 most likely")
    parser.add_argument("--top-k", metavar="N", type=whole, help="draw from the N most likely symbols only")
    parser.add_argument("--top-p", metavar="P", type=number, help="draw from the fewest symbols that hold this share")
    parser.add_argument("--min-p", metavar="P", type=number, help="draw from those P times as likely as the likeliest")
    parser.add_argument("--repetition-penalty", metavar="X", type=number, default=1.0, help="above 1: fewer repeats")
    parser.add_argument("--stop", metavar="TEXT", action="append", default=[], help="end before this; may be repeated")
    parser.add_argument("--samples", metavar="N", type=whole, default=1, help="so many texts, drawn side by side")
    parser.add_argument("--seed", metavar="N", type=whole, default=0, help="of the draws (default: 0)")
    adapt_help = "learn from the prime, and from what is typed in a chat; the run itself is left alone"
    parser.add_argument("--adapt", action="store_true", help=adapt_help)
    parser.add_argument("--chat", action="store_true", help="go on from each line that is typed, until end of input")


def run(arguments: argparse.Namespace) -> int:
    """Write symbols as they are drawn."""
    from minidl.experiment.run.load_model import load_trained
    from minidl.generate.sampler import Sampler
    from minidl.generate.sampling import ends_of, sample_text
    from minidl.storage.run_folder import model_file

    _check(arguments)
    limits = (arguments.top_k, arguments.top_p, arguments.min_p)
    sampler = Sampler(arguments.temperature, *limits, arguments.repetition_penalty)
    trained = load_trained(model_file(arguments.run, arguments.runs))
    model = trained.model
    given = {"length": arguments.length, "sampler": sampler, "seed": arguments.seed, "stop": arguments.stop}
    if ends_of(model):
        _write_documents(trained, arguments, given)
        return 0
    reader = _reader(model) if arguments.adapt else None
    model = model if reader is None else reader.model
    if arguments.chat:
        _chat(model, reader, given)
        return 0
    prime = _prime(arguments)
    if prime is not None:
        _warn(model, prime)
        _write(prime if arguments.samples == 1 else "")
        if reader is not None:
            reader.read_text(prime)
    if arguments.samples > 1:
        _write_several(model, arguments.samples, prime, given)
        return 0
    for piece in sample_text(model, prime="\n" if prime is None else prime, **given):
        _write(piece)
    print()
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what does not go together."""
    from minidl.system.errors import UsageError

    for name, least in (("length", 1), ("seed", 0), ("samples", 1)):
        if getattr(arguments, name) < least:
            raise UsageError(f"--{name} should be {least} or more, got {getattr(arguments, name)}")
    if sum((arguments.prime is not None, arguments.prime_file is not None, arguments.chat)) > 1:
        raise UsageError("the prime comes from one of --prime, --prime-file and --chat")
    if arguments.samples > 1 and arguments.chat:
        raise UsageError("a chat has one answer at a time: leave --samples out")
    if "" in arguments.stop:
        raise UsageError("--stop should be a text of one character or more")


def _write_documents(trained: Trained, arguments: argparse.Namespace, given: dict[str, Any]) -> None:
    """Documents below one another, each to its own end, and how many of them are new."""
    from minidl.experiment.run.novelty import novelty
    from minidl.generate.sampling import sample_texts
    from minidl.system.errors import UsageError

    if arguments.chat or arguments.adapt:
        raise UsageError("this model writes documents, each of its own: it has no conversation to go on with")
    prime = _prime(arguments) or ""
    _warn(trained.model, prime)
    texts = [prime + text for text in sample_texts(trained.model, arguments.samples, prime=prime, **given)]
    for text in texts:
        _write(f"{text}\n")
    logger.info("%s", novelty(trained, texts))


def _write_several(model: Model, count: int, prime: str | None, given: dict[str, Any]) -> None:
    """Texts below one another, each with its prime and below a line of its own."""
    from minidl.generate.sampling import sample_texts

    for i, text in enumerate(sample_texts(model, count, prime="\n" if prime is None else prime, **given)):
        _write(f"--- {i + 1}\n{prime or ''}{text}\n")


def _chat(model: Model, reader: AdaptingModel | None, given: dict[str, Any]) -> None:
    """Answer each line; the model has read what was said before, and a reader learns from what is typed."""
    from minidl.generate.sampling import sample_text

    said = ""
    for turn, line in enumerate(_lines()):
        _warn(model, line)
        said += line
        if reader is not None:
            reader.read_text(line)
        with contextlib.suppress(*_ends_an_answer()), until_heard():
            for piece in sample_text(model, prime=said[-CONTEXT:], **{**given, "seed": given["seed"] + turn}):
                _write(piece)
                said += piece
        print()


def _reader(model: Model) -> AdaptingModel:
    """A copy of the model that learns while it reads."""
    from minidl.training.adapting import Adaptation, AdaptingModel

    return AdaptingModel(model, Adaptation("sgd", lr=0.1, decay=0.0))


def _ends_an_answer() -> tuple[type[KeyboardInterrupt], ...]:
    """Ctrl-C on a terminal; pressed while nothing is written it ends the conversation."""
    return (KeyboardInterrupt,) if sys.stdin.isatty() else ()


def _lines() -> Iterator[str]:
    """What is typed, line by line; on a terminal with a prompt, and with keys that edit and recall lines."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield from sys.stdin
        return
    with contextlib.suppress(ImportError):  # not every system has it
        import readline  # noqa: F401
    while True:
        try:
            yield input("> ") + "\n"
        except EOFError:
            print()
            return


def _write(text: str) -> None:
    from minidl.system.terminal import visible

    print(visible(text, sys.stdout), end="", flush=True)


def _warn(model: Model, prime: str) -> None:
    from minidl.experiment.run.load_model import tell_unseen

    if model.vocabulary is not None:
        tell_unseen(model.vocabulary, prime, "prime")


def _prime(arguments: argparse.Namespace) -> str | None:
    """The text to go on from, without the line break that ends a file; None where none was given."""
    from minidl.data.sources import find_file, read_file

    if arguments.prime_file is not None:
        path = find_file(str(arguments.prime_file), Path())
        return _decoded(read_file(path), str(path))
    return _decoded(sys.stdin.buffer.read(), "stdin") if arguments.prime == STDIN else arguments.prime


def _decoded(raw: bytes, name: str) -> str:
    from minidl.system.errors import DataError

    try:
        return raw.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: byte 0x{raw[error.start]:02x} at offset {error.start} is not UTF-8") from None
