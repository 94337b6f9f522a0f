"""The words of a command line: flags and their values, with the nearest right name for a wrong one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from minidl.system.errors import UsageError, suggest


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are UsageErrors with a suggestion."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments, or UsageError."""
        joined = list(self._joined(list(words)))
        try:
            arguments, unknown = self.parse_known_intermixed_args(joined)
        except AttributeError as error:  # of argparse's own clean-up, where Ctrl-C came half-way
            raise KeyboardInterrupt from error
        if unknown:
            self.error(f"there is no place for {', '.join(map(repr, unknown))}")
        return arguments

    def _joined(self, words: list[str]) -> Iterator[str]:
        """The words, each flag joined with its value, so that a value may begin with a dash or be left out."""
        flags = {flag: action for action in self._actions for flag in action.option_strings}
        while words:
            word = words.pop(0)
            if word == "--":
                yield from ("--", *words)
                return
            action = flags.get(word.partition("=")[0])
            if action is None:
                self._refuse_flag(word, flags)
            elif "=" not in word and action.nargs == "?":
                word = f"{word}={words.pop(0) if words and _is_value(words[0], action) else action.const}"
            elif "=" not in word and action.nargs is None and words and words[0] not in flags:
                word = f"{word}={words.pop(0)}"
            if action is not None and word.endswith("=--"):  # which argparse takes for an end of flags
                self.error(f"{word.removesuffix('=--')} needs a value, and '--' is none")
            yield word

    def _refuse_flag(self, word: str, flags: Iterable[str]) -> None:
        if len(word) > 1 and word.startswith("-"):
            self.error(f"there is no option {word!r}{suggest(word.partition('=')[0], flags)}")

    def print_help(self, file: Any = None) -> None:
        """Called by argparse, whose own does not mind that nothing could be written."""
        print(self.format_help(), end="", file=file)

    def error(self, message: str) -> NoReturn:
        """Called by argparse."""
        raise UsageError(f"{self.prog}: {message}\n{self.format_usage().rstrip()}")


def _is_value(word: str, action: argparse.Action) -> bool:
    """Whether a word belongs to the flag before it, which may stand alone."""
    return word in action.choices if action.choices else word.isdecimal()


def whole(text: str) -> int:
    """A whole number as one writes it: digits of ASCII, without separators, that fit into 64 bits.

    >>> whole("20")
    20
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(
            f"a whole number of at most 18 digits, such as 20, should stand here, got {text!r}"
        )
    return int(text)


def number(text: str) -> float:
    """A number as one writes it, in digits of ASCII; what is not finite is refused where it is used.

    >>> number("0.7"), number("1e-3")
    (0.7, 0.001)
    """
    if not re.fullmatch(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|inf)", text, re.IGNORECASE):
        raise argparse.ArgumentTypeError(f"a number, such as 0.7, should stand here, got {text!r}")
    return float(text)


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """An experiment file and overrides."""
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml", help="the experiment file")
    change_help = "a value to use instead of the file's"
    parser.add_argument("changes", metavar="key.sub=value", nargs="*", default=[], help=change_help)


def add_run(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """A trained model."""
    meaning = "a run folder, a model file, or NAME or NAME/NUMBER of a run (the newest of that name)"
    parser.add_argument("run", metavar="RUN", nargs=None if required else "?", help=meaning)
    add_runs_folder(parser)


def add_runs_folder(parser: argparse.ArgumentParser) -> None:
    """Where runs lie."""
    parser.add_argument("--runs", metavar="DIR", type=Path, default=Path("runs"), help="where runs lie (default: runs)")


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Results for machines."""
    parser.add_argument("--json", action="store_true", help=f"{what} on stdout, for machines")
