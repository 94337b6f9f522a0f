"""How rows and sequences come into the training, validation and test part."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from minidl.config.declared import Declared
from minidl.data.batches import check_shares, split_slices
from minidl.data.independent import Order
from minidl.system.errors import ConfigError, DataError, UsageError

logger = logging.getLogger("minidl")
Shares = tuple[float, float, float]
Kind = Literal["random", "stratified", "ordered", "group"]
SHOWN = 5  # classes that are named


@dataclass(frozen=True)
class Split(Declared, family="split", abstract=False):
    """Which rows are for training, validation and test.

    kind: random; stratified (each part has its share of every class); ordered (as in the file, or in time); group
    (the rows of a group are all in one part). parts: the shares of the three.
    """

    kind: Kind
    parts: Shares = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            check_shares(self.parts)
        except UsageError as error:
            raise ConfigError(str(error).replace("split", "parts", 1)) from None


def in_order(split: Shares | Split, what: str) -> Shares:
    """The shares of parts that follow one another; UsageError for a split of another kind. what: is divided.

    >>> in_order(Split("ordered", (0.5, 0.5, 0.0)), "a text")
    (0.5, 0.5, 0.0)
    """
    if not isinstance(split, Split):
        return split
    if split.kind != "ordered":
        raise UsageError(f"split of {what} should be 'ordered', for its parts follow one another; got {split.kind!r}")
    return split.parts


def divide(
    kind: Kind,
    shares: Shares,
    seed: int,
    count: int,
    *,
    classes: Sequence[Hashable] | None = None,
    groups: Sequence[Hashable] | None = None,
    what: str = "rows",
) -> list[Order]:
    """The numbers of the examples for training, validation and test.

    classes: of each example, for a stratified split. groups: of each example, for a split by group. what: examples are
    called in messages.

    >>> [part.tolist() for part in divide("ordered", (0.5, 0.25, 0.25), 0, 4)]
    [[0, 1], [2], [3]]
    """
    check_shares(shares)
    rng = np.random.default_rng(seed)
    if kind == "ordered":
        return [np.arange(count)[part] for part in split_slices(count, shares, least=1, what=what)]
    if kind == "group":
        if groups is None:
            raise UsageError("split by group needs to know the groups: name their column in the table with group")
        return _by_group(groups, shares, rng)
    if kind == "stratified" and classes is not None:
        split_slices(count, shares, least=1, what=what)
        return _stratified(classes, shares, rng)
    order = rng.permutation(count)
    return [order[part] for part in split_slices(count, shares, least=1, what=what)]


def _by_group(groups: Sequence[Hashable], shares: Shares, rng: np.random.Generator) -> list[Order]:
    """Whole groups, in a drawn order, so that each part has about its share of the rows and one group at the least."""
    members: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    used = [k for k, share in enumerate(shares) if share > 0]
    if len(members) < len(used):
        raise DataError(f"group: {len(members)} groups are too few for {len(used)} parts, which share none")
    drawn = [list(members)[i] for i in rng.permutation(len(members))]
    parts: list[list[int]] = [[], [], []]
    for left, group in zip(range(len(drawn), 0, -1), drawn, strict=True):
        empty = [k for k in used if not parts[k]]
        short = {k: shares[k] - len(parts[k]) / len(groups) for k in (empty if len(empty) == left else used)}
        parts[max(short, key=lambda k: short[k])] += members[group]
    return [np.array(sorted(part), np.intp) for part in parts]


def _stratified(classes: Sequence[Hashable], shares: Shares, rng: np.random.Generator) -> list[Order]:
    """Of every class its share; a class with fewer rows than there are parts is in the training part alone."""
    numbers: dict[Hashable, int] = {}
    codes = np.fromiter((numbers.setdefault(name, len(numbers)) for name in classes), np.int32, len(classes))
    rows_of = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    used = [k for k, share in enumerate(shares) if share > 0]
    parts: list[list[Order]] = [[], [], []]
    rare = {str(name): len(rows_of[code]) for name, code in numbers.items() if len(rows_of[code]) < len(used)}
    owed = np.zeros(3)
    for rows in sorted(rows_of, key=lambda rows: (len(rows), rows[0])):
        drawn = rng.permutation(rows)
        sizes = [len(rows), 0, 0] if len(rows) < len(used) else _sizes(len(rows), shares, owed)
        for k, start in enumerate(np.cumsum([0, *sizes[:-1]]).tolist()):
            parts[k].append(drawn[start : start + sizes[k]])
    tell_rare(rare, len(used))
    return [rng.permutation(np.sort(np.concatenate(part))) for part in parts]


def _sizes(count: int, shares: Shares, owed: np.ndarray) -> list[int]:
    """How many of a class each part gets, one at the least; what rounding takes is owed to the next class."""
    total = sum(shares)
    sizes = [0, 0, 0]
    for k in (1, 2):
        if shares[k] > 0:
            exact = count * shares[k] / total + owed[k]
            sizes[k] = min(max(1, round(exact)), max(1, count // 2))
            owed[k] = exact - sizes[k]
    sizes[0] = count - sum(sizes)
    return sizes


def tell_rare(rare: dict[str, int], parts: int) -> None:
    """Say which classes have too few rows to be in every part."""
    if not rare:
        return
    named = ", ".join(f"{name!r} ({count} row{'s' if count > 1 else ''})" for name, count in list(rare.items())[:SHOWN])
    more = f" and {len(rare) - SHOWN} more" if len(rare) > SHOWN else ""
    logger.warning(
        "classes with too few rows for %d parts are in the training part alone, and are not measured: %s%s",
        parts,
        named,
        more,
    )
