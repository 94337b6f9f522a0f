"""Ranges to search, each in the place of a value, as in optimizer.lr=log(1e-4, 1e-2).

A value that was drawn from one is written as text, and goes the way of every change on the command line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minidl.experiment.yaml.document import inline
from minidl.experiment.yaml.loader import read
from minidl.experiment.yaml.overrides import SOURCE, Refused
from minidl.experiment.yaml.source_positions import Mark, Mistake, refuse
from minidl.system.errors import UsageError, suggest

if TYPE_CHECKING:
    from optuna import Trial

RANGE = re.compile(r"(?P<key>[^=]*)=\s*(?P<kind>[A-Za-z]\w*)\((?P<values>.*)\)\s*", re.DOTALL)
EXAMPLES = {
    "choice": "choice(64, 128, 256)",
    "uniform": "uniform(0, 0.5)",
    "log": "log(1e-4, 1e-2)",
    "int": "int(1, 8)",
    "log_int": "log_int(16, 512)",
}


@dataclass(frozen=True)
class OneOf:
    """One of several values, each as text."""

    texts: tuple[str, ...]

    @property
    def examples(self) -> tuple[str, ...]:
        """Values by which an experiment is checked before the first trial."""
        return self.texts

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.texts)

    def value(self, place: int) -> str:
        """One of them, by its place."""
        return self.texts[place]

    def draw(self, trial: Trial, key: str) -> str:
        """The value of a trial."""
        chosen: str = trial.suggest_categorical(key, self.texts)
        return chosen


@dataclass(frozen=True)
class Between:
    """A number between two others, which may be it; whole where they are. log: its logarithm is drawn evenly."""

    low: float
    high: float
    log: bool

    @property
    def examples(self) -> tuple[str, ...]:
        """Values by which an experiment is checked before the first trial."""
        return repr(self.low), repr(self.high)

    @property
    def size(self) -> int | None:
        """How many values there are; None where they are not whole."""
        return self.high - self.low + 1 if isinstance(self.low, int) and isinstance(self.high, int) else None

    def value(self, place: int) -> float:
        """One of them, by its place."""
        return self.low + place

    def draw(self, trial: Trial, key: str) -> str:
        """The value of a trial."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return repr(trial.suggest_int(key, self.low, self.high, log=self.log))
        return repr(trial.suggest_float(key, self.low, self.high, log=self.log))


@dataclass(frozen=True)
class Space:
    """What a sweep searches: changes as they were given, and the ranges among them by key."""

    changes: tuple[str, ...]
    ranges: Mapping[str, OneOf | Between]

    def with_values(self, texts: Mapping[str, str]) -> list[str]:
        """The changes of a trial."""
        keys = map(_key, self.changes)
        return [
            f"{key}={texts[key]}" if key in texts else change for key, change in zip(keys, self.changes, strict=True)
        ]

    @property
    def identity(self) -> list[str]:
        """What tells it from other spaces."""
        fixed = [change.strip() for change in self.changes if _key(change) not in self.ranges]
        return sorted([*fixed, *(f"{key}={found!r}" for key, found in self.ranges.items())])

    @property
    def size(self) -> int | None:
        """How many combinations of values there are; None where they cannot be counted."""
        sizes = [found.size for found in self.ranges.values()]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def combination(self, number: int) -> dict[str, Any]:
        """The values of one combination, by its number; the first range changes fastest."""
        values = {}
        for key in sorted(self.ranges):
            found = self.ranges[key]
            assert found.size is not None
            number, place = divmod(number, found.size)
            values[key] = found.value(place)
        return values

    def examples(self) -> list[list[str]]:
        """Changes of as many trials as it takes to use every example of every range."""
        examples = {key: found.examples for key, found in self.ranges.items()}
        count = max(map(len, examples.values()))
        return [self.with_values({key: texts[i % len(texts)] for key, texts in examples.items()}) for i in range(count)]


def read_space(changes: Sequence[str]) -> Space:
    """The ranges in changes such as "optimizer.lr=log(1e-4, 1e-2)"; ExperimentError for those that are none.

    >>> read_space(["optimizer.lr=log(1e-4, 1e-2)", "train.epochs=3"]).ranges
    {'optimizer.lr': Between(low=0.0001, high=0.01, log=True)}
    """
    ranges: dict[str, OneOf | Between] = {}
    mistakes: list[Mistake] = []
    for number, change in enumerate(changes, start=1):
        found = RANGE.fullmatch(change)
        if found is None:
            continue
        try:
            ranges[_key(change)] = _Reader(change, number).range(found)
        except Refused as refused:
            mistakes += refused.args
    if mistakes:
        refuse(*mistakes)
    if not ranges:
        raise UsageError(
            f"a sweep needs a range to search: write one for a value, as in 'optimizer.lr={EXAMPLES['log']}'"
        )
    keys = [_key(change) for change in changes]
    for key in ranges:
        if keys.count(key) > 1:
            raise UsageError(f"{key} is given {keys.count(key)} times: a range takes the place of the value")
    return Space(tuple(changes), ranges)


def _key(change: str) -> str:
    return change.partition("=")[0].strip()


class _Reader:
    """One range on its way from text; its values are YAML, as everywhere."""

    def __init__(self, change: str, number: int) -> None:
        self.change, self.number = change, number

    def range(self, found: re.Match[str]) -> OneOf | Between:
        """The range, or Refused."""
        kind, start = found["kind"], found.start("values")
        if kind not in EXAMPLES:
            known = ", ".join(EXAMPLES.values())
            raise self._wrong(
                found.start("kind"), f"there is no range {kind!r}{suggest(kind, EXAMPLES)} (ranges: {known})"
            )
        reading = read(f"{' ' * (start - 1)}[{found['values']}]", self._locate)  # blanks keep the columns
        if reading.mistakes:
            raise Refused(*reading.mistakes)
        return self._one_of(start, reading.value) if kind == "choice" else self._between(start, kind, reading.value)

    def _one_of(self, start: int, values: list[Any]) -> OneOf:
        texts = tuple(map(inline, values))
        if len(set(texts)) < max(len(texts), 2):
            raise self._wrong(start, f"a choice is between values that differ, as in {EXAMPLES['choice']}")
        return OneOf(texts)

    def _between(self, start: int, kind: str, values: list[Any]) -> Between:
        whole, log = kind.endswith("int"), kind.startswith("log")
        numbers = [value for value in values if type(value) is int or (type(value) is float and not whole)]
        if len(numbers) != 2 or len(values) != 2 or not all(map(math.isfinite, numbers)):
            what = "whole numbers" if whole else "numbers"
            raise self._wrong(start, f"{kind} has two {what}, the least and the largest, as in {EXAMPLES[kind]}")
        low, high = numbers if whole else map(float, numbers)
        if not low < high:
            raise self._wrong(start, f"{low!r} should be less than {high!r}")
        if log and low <= 0:
            raise self._wrong(start, f"there is no logarithm of {low!r}: the least value is above 0")
        return Between(low, high, log)

    def _locate(self, offset: int) -> Mark:
        return Mark(SOURCE, self.number, offset + 1, self.change)

    def _wrong(self, offset: int, message: str) -> Refused:
        return Refused(Mistake(self._locate(offset), message))
