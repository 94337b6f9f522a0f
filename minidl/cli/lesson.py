"""Learn by mending: ten layers with a wrong line in their backward, graded by the gradient check."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from minidl.cli.arguments import Parser, add_json
from minidl.cli.colours import show
from minidl.cli.json_output import json_line
from minidl.system.errors import ExperimentError, NumericsError, UsageError, suggest

if TYPE_CHECKING:
    from minidl.experiment.lessons import Exercise, Grade

logger = logging.getLogger("minidl")
WORDS = ("check", "list")
EXAMPLES = """examples:
  minidl lesson                  write the next exercise into the working folder
  minidl lesson 4                write this one
  minidl lesson check            which gradients are wrong; what was mended, and why it mattered
  minidl lesson check 4
  minidl lesson list             all ten, with their state

check exits with 5 where a gradient is wrong; no file is overwritten
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl lesson` takes."""
    parser.add_argument("what", metavar="WHAT", nargs="?", default="", help="check, list, or the number of an exercise")
    parser.add_argument(
        "number", metavar="NUMBER", nargs="?", default="", help="which exercise to check (default: all)"
    )
    add_json(parser, "a JSON line for each exercise")


def run(arguments: argparse.Namespace) -> int:
    """Write an exercise, grade those that are there, or list all."""
    from minidl.experiment.lessons import EXERCISES

    if arguments.what == "check":
        return _check(_chosen(arguments.number), arguments.json)
    if arguments.number:
        raise UsageError(f"only check takes a second word, got {arguments.number!r}")
    if arguments.what == "list":
        return _list(EXERCISES, arguments.json)
    return _write(_chosen(arguments.what)[0] if arguments.what else _next(), arguments.json)


def _chosen(word: str) -> tuple[Exercise, ...]:
    """The exercise of a number; all where there is no word."""
    from minidl.experiment.lessons import EXERCISES

    if not word:
        return EXERCISES
    if word.isdecimal() and 1 <= int(word) <= len(EXERCISES):
        return (EXERCISES[int(word) - 1],)
    known = f"1 to {len(EXERCISES)}, check, list"
    raise UsageError(f"there is no lesson {word!r}{suggest(word, WORDS)} (there are: {known})")


def _next() -> Exercise:
    """The first exercise that is not in the working folder."""
    from minidl.experiment.lessons import EXERCISES

    left = [exercise for exercise in EXERCISES if not Path(exercise.file).exists()]
    if not left:
        raise UsageError(f"all {len(EXERCISES)} exercises are here: minidl lesson check grades them")
    return left[0]


def _write(exercise: Exercise, as_json: bool) -> int:
    path = Path(exercise.file)
    if path.exists():
        raise UsageError(f"{path} is here already: minidl lesson check {exercise.number} grades it")
    with path.open("x", encoding="utf-8") as file:
        file.write(exercise.text())
    if as_json:
        print(json_line({"lesson": exercise.number, "file": str(path)}))
    else:
        print(f"lesson {exercise.number}: {exercise.title}\nwrote {path}: mend one line of its backward, then")
        print("    minidl lesson check")
    return 0


def _check(exercises: tuple[Exercise, ...], as_json: bool) -> int:
    """Grade the exercises that are in the working folder; NumericsError where a gradient is wrong."""
    from minidl.experiment.lessons import grade

    here = [exercise for exercise in exercises if Path(exercise.file).exists()]
    if not here:
        wanted = exercises[0].file if len(exercises) == 1 else "lesson_NN_*.py"
        raise UsageError(f"there is no {wanted} in {Path.cwd()}: minidl lesson writes the first")
    grades = [grade(exercise, Path(exercise.file)) for exercise in here]
    for found in grades:
        if as_json:
            print(json_line({"lesson": found.exercise.number, "passed": not found.wrong, "wrong": found.wrong}))
        else:
            _show(found)
    open_ones = [str(found.exercise.number) for found in grades if found.wrong]
    if open_ones:
        raise NumericsError(f"a gradient is still wrong in lesson {', '.join(open_ones)}")
    return 0


def _show(found: Grade) -> None:
    lines = [f"lesson {found.exercise.number}: {found.exercise.title}"]
    for check in found.checks:
        name = check.array.rpartition("/")[2]
        lines.append(f"  d{name.ljust(8)} relative error {check.error:.1e}{'' if check.passed else '  WRONG'}")
    lines.append(f"  {found.exercise.hint}" if found.wrong else f"  mended. {found.exercise.why}")
    show("\n".join(lines), {r"\A.*": "bold", r"WRONG$": "bold red", r"^  mended\.": "green"})


def _state(exercise: Exercise) -> str:
    """How far it has come: code that does not run is wrong as well."""
    from minidl.experiment.lessons import grade

    if not Path(exercise.file).exists():
        return "to come"
    try:
        return "wrong" if grade(exercise, Path(exercise.file)).wrong else "mended"
    except ExperimentError:
        return "wrong"


def _list(exercises: tuple[Exercise, ...], as_json: bool) -> int:
    for exercise in exercises:
        state = _state(exercise)
        if as_json:
            print(json_line({"lesson": exercise.number, "title": exercise.title, "state": state}))
        else:
            print(f"{exercise.number:2}  {state:8}  {exercise.title}")
    return 0
