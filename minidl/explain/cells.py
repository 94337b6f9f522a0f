"""Units that tell a feature apart: a quotation, a bracket, the place in a line, a class, a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.graph.arrays import Array

QUOTES, OPENING, CLOSING = "\"'`", "([{", ")]}"
LEAST = 3  # steps with a feature, and without it, from which a unit may be said to tell it apart


@dataclass(frozen=True)
class Feature:
    """A feature of the steps and the units that follow it best.

    name: in English and Spanish. units: layer, unit, and the rank correlation of its state with the feature, the
    strongest first.
    """

    name: tuple[str, str]
    units: tuple[tuple[str, int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"name": dict(zip(("en", "es"), self.name, strict=True)), "units": [list(unit) for unit in self.units]}


def rank_units(states: Mapping[str, Array], features: Mapping[tuple[str, str], Array], most: int = 5) -> list[Feature]:
    """For each feature (N,) of N steps the units whose state follows it best.      states: (N, H) by layer

    The measure is the rank correlation: of a feature that is there or not, it is 2 AUC - 1 times the same factor for
    all units. A feature that hardly occurs is left out.

    >>> states = {"lstm": np.array([[0.0, 5.0], [1.0, 1.0], [2.0, 7.0], [3.0, 0.0], [4.0, 3.0], [5.0, 4.0]])}
    >>> rank_units(states, {("late", "tarde"): np.array([0, 0, 0, 1, 1, 1])}, most=1)[0].units
    (('lstm', 0, 0.88),)
    """
    ranks = {layer: _standard_ranks(state) for layer, state in states.items()}
    found = []
    for name, feature in features.items():
        if not _occurs(feature):
            continue
        wanted = _standard_ranks(np.asarray(feature, float)[:, None])[:, 0]
        scores = [
            (layer, unit, round(float(score), 2))
            for layer, rank in ranks.items()
            for unit, score in enumerate(wanted @ rank / len(wanted))
        ]
        best = sorted(scores, key=lambda score: -abs(score[2]))[:most]
        found.append(Feature(name, tuple(best)))
    return sorted(found, key=lambda feature: -abs(feature.units[0][2]))


def _occurs(feature: Array) -> bool:
    counts = np.unique(feature, return_counts=True)[1]
    return len(counts) > 1 and int(np.sort(counts)[:-1].sum()) >= LEAST


def _standard_ranks(values: Array) -> Array:
    """Ranks of each column, equal values sharing theirs, brought to mean 0 and deviation 1."""
    ranks = np.empty(values.shape)
    for column, out in zip(values.T, ranks.T, strict=True):
        _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
        out[:] = (np.cumsum(counts) - (counts + 1) / 2)[inverse]
    ranks -= ranks.mean(axis=0)
    deviation = ranks.std(axis=0)
    return ranks / np.where(deviation > 0, deviation, 1)


def text_features(symbols: Sequence[str]) -> dict[tuple[str, str], Array]:
    """Features of each symbol of a text, characters or words, by their names.

    >>> text_features(list("a (b)"))["inside brackets", "entre paréntesis"].astype(int).tolist()
    [0, 0, 1, 1, 0]
    """
    marks = [_Marks(), *(_Marks() for _ in symbols)]
    for before, now, symbol in zip(marks, marks[1:], symbols, strict=False):
        now.follow(before, symbol)
    after = marks[1:]
    return {
        ("inside quotes", "entre comillas"): np.array([bool(mark.quote) for mark in after]),
        ("inside brackets", "entre paréntesis"): np.array([mark.depth > 0 for mark in after]),
        ("inside a word", "dentro de una palabra"): np.array([_in_word(symbol) for symbol in symbols]),
        ("indentation of the line", "sangría de la línea"): np.array([mark.indentation for mark in after]),
        ("position in the line", "posición en la línea"): np.array([mark.column for mark in after]),
        ("capital", "mayúscula"): np.array([symbol[:1].isupper() for symbol in symbols]),
        ("digit", "cifra"): np.array([symbol[:1].isdigit() for symbol in symbols]),
        ("white space", "espacio en blanco"): np.array([not symbol.strip() for symbol in symbols]),
    }


@dataclass
class _Marks:
    """What is open after a symbol: a quotation, brackets; where in the line it stands."""

    quote: str = ""
    depth: int = 0
    column: int = -1
    indentation: int = 0
    indenting: bool = True
    last: str = ""

    def follow(self, before: _Marks, symbol: str) -> None:
        """The marks after one more symbol, which may be a word or several characters."""
        self.quote, self.depth, self.column = before.quote, before.depth, before.column + 1
        self.indentation, self.indenting, self.last = before.indentation, before.indenting, before.last
        for character in symbol:
            self._read(character)

    def _read(self, character: str) -> None:
        if character == "\n":
            self.quote, self.column, self.indentation, self.indenting = "", -1, 0, True
        elif self.indenting and character == " ":
            self.indentation += 1
        else:
            self.indenting = False
        if self.quote or (character in QUOTES and not self.last.isalnum()):  # after a letter it is an apostrophe
            self.quote = "" if character == self.quote else self.quote or character
        elif character in OPENING:
            self.depth += 1
        elif character in CLOSING:
            self.depth = max(0, self.depth - 1)
        self.last = character


def _in_word(symbol: str) -> bool:
    return symbol[:1].isalnum() or symbol[:1] == "_"


def class_features(names: Iterable[str], ids: Array) -> dict[tuple[str, str], Array]:
    """A feature for each class: whether a step is of it.      ids (N,)"""
    return {(f"class {name}", f"clase {name}"): ids == k for k, name in enumerate(names)}


def column_features(names: Iterable[str], rows: Array) -> dict[tuple[str, str], Array]:
    """A feature for each column: its value.      rows (N, F)"""
    return {(f"column {name}", f"columna {name}"): rows[:, k] for k, name in enumerate(names)}
