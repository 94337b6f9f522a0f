"""Everything that minidl refuses, as exceptions that say what is wrong, where, and what to do.

Each kind carries the exit code with which a command ends; see "Command line" in the README.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from os.path import splitext
from typing import Any


class MinidlError(Exception):
    """Base of all errors that minidl raises on purpose."""

    exit_code = 1


class UsageError(MinidlError):
    """A command line, or a call, that cannot be carried out as given."""

    exit_code = 2


class UnknownName(UsageError, KeyError):
    """A name that a mapping does not hold."""

    __str__ = Exception.__str__  # that of a KeyError shows quotes and escapes


class ConfigError(UsageError, ValueError):
    """Hyperparameters that a class does not take, or values out of their range.

    mistakes: each of them with its path in the declaration, where that is known.
    """

    def __init__(self, message: str, mistakes: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.mistakes = tuple(mistakes)


class ExperimentError(UsageError):
    """One or several mistakes in an experiment file."""


class GraphError(UsageError, ValueError):
    """Layers that do not fit together; the message names the node, what it got and from whom."""


class DataError(MinidlError, ValueError):
    """Data that cannot be read, or that does not fit the experiment."""

    exit_code = 3


class CheckpointError(MinidlError):
    """A file of weights that is damaged, foreign, or of another model."""

    exit_code = 4


class NewerFormat(CheckpointError):
    """A file that a newer minidl wrote: it is sound, and only to be upgraded for."""


class NumericsError(MinidlError, ArithmeticError):
    """NaN or infinity where a finite number belongs, or a gradient that is wrong."""

    exit_code = 5


class StorageError(MinidlError, OSError):
    """A disk that is full, a folder that cannot be written, a lock that another process holds."""

    exit_code = 74


class RunLost(StorageError):
    """The folder of a run is no longer the one that it made."""


def expect(kind: type, given: object, wanted: str) -> None:
    """UsageError where a caller gives something of another kind.

    >>> expect(int, "3", "a count is a whole number")
    Traceback (most recent call last):
    minidl.system.errors.UsageError: a count is a whole number, got str
    """
    if not isinstance(given, kind):
        raise UsageError(f"{wanted}, got {type(given).__name__}")


SHORT = 3  # letters of a word in which one slip is a third or more


def either(words: Sequence[str]) -> str:
    """Words of which one is to be chosen.

    >>> either(["steps", "epochs", "minutes"])
    'steps, epochs or minutes'
    """
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def suggest(word: str, known: Iterable[str]) -> str:
    """A half-sentence with the nearest right name, or nothing.

    >>> suggest("unit", ["units", "name"])
    "; did you mean 'units'?"
    >>> suggest("rate", ["type", "name"])  # half of the letters are others
    ''
    """
    folded = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.6 if len(word) > SHORT else 0.5)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def suggest_file(name: str, known: Iterable[str]) -> str:
    """As `suggest`, but a name is not near because it ends like the other.

    >>> suggest_file("lstn.yaml", ["lstm.yaml"]), suggest_file("nothing.yaml", ["tag.yaml"])
    ("; did you mean 'lstm.yaml'?", '')
    """
    stem = splitext(name)[0]
    return suggest(name, [other for other in known if suggest(stem, [splitext(other)[0]])])
