"""Which verb was meant, and how a command ends: a message and an exit code, never a traceback for a user's mistake."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import NoReturn

from minidl.errors import MinidlError, UsageError, suggest

VERBS = {
    "run": "train an experiment, or go on with one",
    "check": "prove the gradients of an experiment's model",
    "sample": "let a trained model write",
    "evaluate": "measure a trained model",
    "inspect": "show what a run or a model file holds",
    "runs": "list runs, or compare some of them",
    "schema": "write the JSON Schema that editors complete experiment files by",
    "new": "begin a project: an experiment, a model, a README",
}
EXAMPLES = """examples:
  minidl new shakespeare                           a project that runs at once
  minidl run experiments/char_lstm.yaml            train; watch it with tensorboard --logdir runs
  minidl run experiments/char_lstm.yaml --resume   go on where it stopped
  minidl sample char_lstm --prime "The " --length 300

`minidl VERB --help` says more about each."""
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests the right name for a wrong one, and whose errors are UsageErrors."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The arguments, or UsageError."""
        known, unknown = self.parse_known_intermixed_args(list(self._closed(arguments)))
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            named = [f"{word}{suggest(word.partition('=')[0], flags)}" for word in unknown]
            raise UsageError(f"{self.prog}: unknown argument {', '.join(named)}\n{self.format_usage().rstrip()}")
        return known

    def _closed(self, words: Sequence[str]) -> Iterator[str]:
        """The words, where a flag whose number may be left out does not take the next word for one."""
        flags = {flag: action for action in self._actions if action.nargs == "?" for flag in action.option_strings}
        for word, following in zip(words, [*words[1:], ""], strict=True):
            yield f"{word}={flags[word].const}" if word in flags and not following.isdecimal() else word

    def error(self, message: str) -> NoReturn:
        """Called by argparse."""
        raise UsageError(f"{self.prog}: {message}\n{self.format_usage().rstrip()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out `minidl VERB ...`; the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    verbs = "\n".join(f"  {name:10} {what}" for name, what in VERBS.items())
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: minidl VERB ...\n\nRecurrent networks on NumPy.\n\nverbs:\n{verbs}\n\n{EXAMPLES}")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from minidl import __version__

        print(f"minidl {__version__}")
        return 0
    if arguments[0] not in VERBS:
        print(
            f"minidl: there is no verb {arguments[0]!r}{suggest(arguments[0], VERBS)}\nverbs:\n{verbs}", file=sys.stderr
        )
        return UsageError.exit_code
    return carry_out(arguments[0], arguments[1:], f"minidl {arguments[0]}")


def carry_out(verb: str, arguments: Sequence[str], prog: str) -> int:
    """Run one verb and turn errors into a message and an exit code."""
    module = _module(verb)
    parser = Parser(prog, str(module.__doc__).partition("\n")[0], module.EXAMPLES)
    module.add_arguments(parser)
    _log_to_stderr()
    try:
        code: int = module.run(parser.parse(arguments))
        sys.stdout.flush()
    except MinidlError as error:
        print(f"{prog}: {error}" if "\n" not in str(error) else str(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _module(verb: str) -> ModuleType:
    """The file of a verb; only this one is imported, so that `--help` is quick."""
    match verb:
        case "run":
            from minidl.cli import run as module
        case "check":
            from minidl.cli import check as module
        case "sample":
            from minidl.cli import sample as module
        case "evaluate":
            from minidl.cli import evaluate as module
        case "inspect":
            from minidl.cli import inspect as module
        case "runs":
            from minidl.cli import runs as module
        case "schema":
            from minidl.cli import schema as module
        case _:
            from minidl.cli import new as module
    return module


def _log_to_stderr() -> None:
    logger = logging.getLogger("minidl")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("minidl: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
