"""Forecasting: numbers that stand some rows after a window of a series."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Len, Lt

from minidl.data.baselines import error_of
from minidl.data.batches import ArraySpec, Dataset, split_slices
from minidl.data.independent import Independent, Order, Part
from minidl.data.sources.rows import Rows
from minidl.data.tasks.gaps import features, read_numbers, width
from minidl.data.tasks.reader import Answers, Array, Reader
from minidl.data.tasks.scaling import Scaling
from minidl.data.tasks.task import Missing, Settings, Task
from minidl.data.tasks.time_order import series
from minidl.data.tasks.windows import Windows
from minidl.system.errors import ConfigError, DataError, UsageError

logger = logging.getLogger("minidl")
Quantiles = Annotated[tuple[Annotated[float, Gt(0), Lt(1)], ...], Len(1)] | None


@dataclass(frozen=True)
class ForecastReader(Reader):
    """Windows of series, and the numbers that stand after each.

    inputs, outputs: the columns that are read and predicted, with their scales. window (T): rows that are seen.
    horizon: how many rows after the last of them the target stands. path: whether all rows up to there are targets.
    quantiles: that are predicted of each number. known: columns that are known ahead. group, time, missing: as in the
    table.
    """

    inputs: Scaling
    outputs: Scaling
    window: Annotated[int, Gt(0)]
    horizon: Annotated[int, Gt(0)]
    path: bool = False
    quantiles: Quantiles = None
    known: Scaling | None = None
    group: str | None = None
    time: str | None = None
    missing: Missing = "error"

    @property
    def columns(self) -> tuple[str, ...]:
        known = () if self.known is None else self.known.columns
        return (*self.inputs.columns, *known, *filter(None, (self.group, self.time)))

    @property
    def targets(self) -> tuple[str, ...]:
        return self.outputs.columns

    @property
    def features(self) -> int:
        """How many numbers a step of a window has."""
        known = 0 if self.known is None else len(self.known.columns)
        return width(len(self.inputs.columns), self.missing) + known

    @property
    def steps(self) -> tuple[int, ...]:
        """How many rows after a window its targets stand."""
        return tuple(range(1, self.horizon + 1)) if self.path else (self.horizon,)

    def headings(self) -> list[str]:
        """The columns of answers, one for each output of the model: of each step the targets, of each its quantiles."""
        plain = len(self.targets) == 1 and self.quantiles is None
        return [
            "prediction"
            + ("" if plain else f":{name}")
            + (f":+{step}" if self.path else "")
            + (f":{quantile:g}" if quantile is not None else "")
            for step in self.steps
            for name in self.targets
            for quantile in self.quantiles or (None,)
        ]

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> Windows:
        return self.windows(rows, series(rows, self.group, self.time), targets=targets, batch_size=batch_size)

    def windows(
        self,
        rows: Rows,
        ordered: Sequence[Order],
        *,
        targets: bool,
        batch_size: int = 32,
        cuts: Sequence[Sequence[int]] | None = None,
    ) -> Windows:
        """The windows of the series whose rows these are. cuts: of each, places that no window may cross."""
        gaps = self.missing != "error"
        numbers = read_numbers(rows, self.inputs.columns, gaps=gaps or self.known is not None)
        outputs = self.outputs.apply(read_numbers(rows, self.targets, gaps=gaps)) if targets else None
        known = None if self.known is None else self.known.apply(read_numbers(rows, self.known.columns, gaps=False))
        parts, places, segments, last = [], [], [], 0
        for k, order in enumerate(ordered):
            order, marks = self._present(rows, numbers, order, cuts[k] if cuts else ())
            parts.append(features(numbers[order], self.inputs, self.missing))
            places.append(order)
            segments.append(last + np.cumsum(marks))
            last += int(np.sum(marks)) + 1
        place = np.concatenate(places)
        return Windows(
            np.concatenate(parts),
            None if outputs is None else outputs[place],
            self.window,
            self.horizon,
            batch_size,
            shuffle=False,
            segments=np.concatenate(segments),
            path=self.path,
            known=None if known is None else known[place],
            rows=place,
        )

    def _present(self, rows: Rows, numbers: Array, order: Order, cuts: Sequence[int]) -> tuple[Order, Array]:
        """The rows of a series that are read, and a mark where a row does not follow the one before it."""
        marks = np.zeros(len(order), np.int64)
        marks[[cut for cut in cuts if cut < len(order)]] = 1
        empty = np.isnan(numbers[order])
        if self.missing == "drop":
            kept: Any = ~empty.any(axis=-1)
            marks = np.cumsum(marks) + np.cumsum(~kept)
            return order[kept], np.diff(marks[kept], prepend=marks[kept][:1]) > 0
        if self.missing == "error" and empty.any():  # only rows to come, of which nothing but the known is there
            there: Any = ~empty.all(axis=-1)
            ahead = len(order) - int(there[::-1].argmax())
            if empty[:ahead].any():
                i, k = (int(n) for n in np.argwhere(empty[:ahead])[0])
                name, row = self.inputs.columns[k], int(order[i])
                raise rows.error(row, f"column {name!r} has {rows.column(name)[row]!r}, which is no finite number")
        return order, marks

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """Numbers in the units of the file, by the columns of `headings`."""
        count = len(self.quantiles or (None,))
        shaped = outputs.reshape(len(outputs), len(self.steps), len(self.targets), count)
        numbers = self.outputs.undo(shaped.swapaxes(-1, -2)).swapaxes(-1, -2).reshape(len(outputs), -1)
        return {name: numbers[:, k].tolist() for k, name in enumerate(self.headings())}


@dataclass(frozen=True)
class Forecasting(Task):
    """Numbers some rows ahead, from those before.        x (T, B, F) -> targets (B, K)

    A row is a step in time; the parts follow one another. Each column is standardised, (value - mean) / standard
    deviation, both of the training part. `columns`: what is read. `window` (T): rows that are seen. `horizon`:
    how many rows after the last of them the target stands. `path`: as many rows after it are all targets. `predict`:
    columns of the target; `columns` if None. `quantiles`: that are predicted of each target, with the loss Quantile.
    `known`: columns whose values are known ahead, such as the hour.
    """

    columns: Annotated[tuple[str, ...], Len(1)]
    window: Annotated[int, Gt(0)]
    horizon: Annotated[int, Gt(0)] | None = None
    predict: Annotated[tuple[str, ...], Len(1)] | None = None
    path: Annotated[int, Gt(0)] | None = None
    quantiles: Quantiles = None
    known: Annotated[tuple[str, ...], Len(1)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.horizon is not None and self.path is not None:
            raise ConfigError("say either horizon (one row) or path (all rows up to it)")
        if self.quantiles is not None and list(self.quantiles) != sorted(set(self.quantiles)):
            raise ConfigError("quantiles should rise, such as [0.1, 0.5, 0.9]")

    @property
    def reach(self) -> int:
        """The last row after a window that is a target."""
        return self.path or self.horizon or 1

    def wanted(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.columns, *(self.predict or ()), *(self.known or ()))))

    def dataset(self, rows: Rows, settings: Settings) -> Dataset:
        """The series as standardised windows."""
        if settings.weight is not None:
            raise UsageError("weight is for examples: windows of a series overlap, and all count the same")
        ordered = series(rows, settings.group, settings.time, tell=True)
        ordered, cuts, shares = self._divided(rows, ordered, settings)
        reader = self._learn(rows, ordered, cuts, shares, settings)
        windows = reader.windows(rows, ordered, targets=True, cuts=[cut.tolist() for cut in cuts])
        parts = _parts_of(windows, ordered, cuts, shares)
        _check_parts(parts, settings, rows, self.window + self.reach)
        train = Part(windows, parts[0], settings.batch_size, seed=settings.seed, shuffle=settings.shuffle)
        validation, test = (Part(windows, part, settings.batch_size) if part.size else None for part in parts[1:])
        targets = len(reader.steps) * len(reader.targets)
        return Dataset(
            train=train,
            validation=validation,
            test=test,
            inputs={
                "x": ArraySpec("float", reader.features, ("T", "B", reader.features)),
                "targets": ArraySpec("float", targets, ("B", targets)),
            },
            facts={
                "features": reader.features,
                "outputs": targets * len(self.quantiles or (None,)),
                "train_sequences": train.count,
                "train_tokens": int(sum(cut[0] for cut, kind in zip(cuts, shares, strict=True) if kind is None))
                + sum(len(order) for order, kind in zip(ordered, shares, strict=True) if kind == 0),
            },
            vocabulary=None,
            digest=rows.digest,
            unit="step",
            baselines=self._baselines(windows, parts[1]),
            metadata={"reader": reader.config()},
            reader=reader,
        )

    def _baselines(self, windows: Windows, validation: Order) -> dict[str, float]:
        """What repeating the last row of each window achieves."""
        if not validation.size:
            return {}
        last, targets = windows.last_values(validation)
        found = error_of(last, targets, "last_value")
        return {name: value for name, value in found.items() if self.quantiles is None or "loss" not in name}

    def _divided(
        self, rows: Rows, ordered: list[Order], settings: Settings
    ) -> tuple[list[Order], list[Array], list[int | None]]:
        """The series that are long enough; of each the rows where a part ends, or the part that it is in as a whole."""
        least = self.window + self.reach
        if settings.kind("ordered") == "group":
            if settings.group is None:
                raise UsageError("split by group needs to know the groups: name their column with group")
            parts = settings.parts(len(ordered), "group", groups=range(len(ordered)), what="groups")
            kinds: list[int | None] = [next(k for k in range(3) if i in parts[k]) for i in range(len(ordered))]
            return ordered, [np.zeros(0, np.int64)] * len(ordered), kinds
        if len(ordered) == 1:
            cuts = [split_slices(len(ordered[0]), settings.shares, least=least, what="rows")]
            return ordered, [np.array([part.stop for part in cuts[0][:2]])], [None]
        found: list[tuple[Order, Array, int | None]] = []
        short = []
        for order in ordered:
            try:
                parts3 = split_slices(len(order), settings.shares, least=least, what="rows")
            except DataError:
                short.append(order)
                continue
            found.append((order, np.array([part.stop for part in parts3[:2]]), None))
        whole: list[tuple[Order, Array, int | None]] = [
            (order, np.zeros(0, np.int64), 0) for order in short if len(order) >= least
        ]
        if not found:
            split_slices(max(map(len, ordered)), settings.shares, least=least, what="rows of the longest series")
        if short:
            logger.warning(
                "%s: %d of %d series are too short for three parts: %d are in the training part alone, %d left out",
                rows.name,
                len(short),
                len(ordered),
                len(whole),
                len(short) - len(whole),
            )
        together: list[tuple[Order, Array, int | None]] = [*found, *whole]
        return [each[0] for each in together], [each[1] for each in together], [each[2] for each in together]

    def _learn(
        self, rows: Rows, ordered: list[Order], cuts: list[Array], kinds: list[int | None], settings: Settings
    ) -> ForecastReader:
        """The scales of the training part."""
        training = np.concatenate(
            [
                order[: cut[0]] if kind is None else order
                for order, cut, kind in zip(ordered, cuts, kinds, strict=True)
                if kind in (None, 0)
            ]
        )

        def scaling(names: tuple[str, ...]) -> Scaling:
            numbers = read_numbers(rows, names, gaps=settings.missing != "error")
            return Scaling.learn(numbers[training], names, rows.name)

        return ForecastReader(
            scaling(self.columns),
            scaling(self.predict or self.columns),
            self.window,
            self.reach,
            self.path is not None,
            self.quantiles,
            None if self.known is None else scaling(self.known),
            settings.group,
            settings.time,
            settings.missing,
        )


def _parts_of(windows: Windows, ordered: list[Order], cuts: list[Array], kinds: list[int | None]) -> list[Order]:
    """Which windows are in which part: by the row that each ends with."""
    part = np.empty(sum(map(len, ordered)) and 1 + max(int(order.max()) for order in ordered), np.int64)
    for order, cut, kind in zip(ordered, cuts, kinds, strict=True):
        part[order] = np.searchsorted(cut, np.arange(len(order)), side="right") if kind is None else kind
    found = part[windows.rows]
    return [np.flatnonzero(found == k) for k in range(3)]


def _check_parts(parts: list[Order], settings: Settings, rows: Rows, least: int) -> None:
    """A part that should have windows has some."""
    for part, share, name in zip(parts, settings.shares, ("training", "validation", "test"), strict=True):
        if share > 0 and not part.size:
            raise DataError(
                f"{rows.name}: the {name} part has no {least} rows in a row without an empty cell: "
                "fill or mask them (missing), or give it a larger share"
            )
