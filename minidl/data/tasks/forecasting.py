"""Forecasting: numbers that stand some rows after a window of a series."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Len

from minidl.data.baselines import error_of
from minidl.data.batches import Array, ArraySpec, Dataset, split_slices
from minidl.data.independent import Order, Part
from minidl.data.seasons import season_of
from minidl.data.sources.rows import Rows
from minidl.data.tasks.forecast_reader import ForecastReader, Quantiles
from minidl.data.tasks.gaps import read_numbers
from minidl.data.tasks.odd_order import tell_odd_order
from minidl.data.tasks.scaling import Scaling
from minidl.data.tasks.task import Settings, Task
from minidl.data.tasks.time_order import series
from minidl.data.tasks.windows import Windows
from minidl.system.errors import ConfigError, DataError, UsageError

logger = logging.getLogger("minidl")


class OneRow:
    """What pydantic asks of `horizon` first: a list of rows is answered with `path`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self._checked, handler(source))

    def _checked(self, horizon: Any) -> Any:
        if isinstance(horizon, (list, tuple)):
            last = max((step for step in horizon if type(step) is int and step > 0), default=len(horizon) or 1)
            raise ValueError(f"a whole number, for it is one row; all rows up to it are path: {last}")
        return horizon


@dataclass(frozen=True)
class Forecasting(Task):
    """Numbers some rows ahead, from those before.        x (T, B, F) -> targets (B, K)

    A row is a step in time; the parts follow one another. Each column is standardised, (value - mean) / standard
    deviation, both of the training part. `columns`: what is read. `window` (T): rows that are seen. `horizon`:
    how many rows after the last of them the target stands. `path`: as many rows after it are all targets. `predict`:
    columns of the target; `columns` if None. `quantiles`: that are predicted of each target, with the loss Quantile.
    `known`: columns whose values are known ahead, such as the hour. `season`: rows after which the series repeats
    itself, for the guess beside the curves; found by autocorrelation where it is not given.
    """

    columns: Annotated[tuple[str, ...], Len(1)]
    window: Annotated[int, Gt(0)]
    horizon: Annotated[Annotated[int, Gt(0)] | None, OneRow()] = None
    predict: Annotated[tuple[str, ...], Len(1)] | None = None
    path: Annotated[int, Gt(0)] | None = None
    quantiles: Quantiles = None
    known: Annotated[tuple[str, ...], Len(1)] | None = None
    season: Annotated[int, Gt(0)] | None = None

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

    @property
    def looks_at_all(self) -> bool:
        return True

    def wanted(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.columns, *(self.predict or ()), *(self.known or ()))))

    def dataset(self, rows: Rows, settings: Settings) -> Dataset:
        """The series as standardised windows."""
        if settings.weight is not None:
            raise UsageError("weight is for examples: windows of a series overlap, and all count the same")
        if settings.time is None or settings.group is None:
            tell_odd_order(rows, set(self.wanted()), time=settings.time, group=settings.group)
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
            baselines=self._baselines(windows, parts[0], parts[1]),
            metadata={"reader": reader.config(), "naive_error": self._naive_error(windows, parts[0])},
            reader=reader,
        )

    def _naive_error(self, windows: Windows, training: Order) -> list[float] | None:
        """How far the last value of a window misses each target on average, by which MASE is told."""
        last, targets = windows.season_before(training)
        if not len(last):
            return None
        errors = np.abs(last - targets).astype(np.float64).reshape(-1, len(self.predict or self.columns))
        found: list[float] = errors.mean(axis=0).tolist()
        return found

    def _baselines(self, windows: Windows, training: Order, validation: Order) -> dict[str, float]:
        """What repeating the last row of each window achieves, and the row one season before the target."""
        if not validation.size:
            return {}
        found = error_of(*windows.season_before(validation), "last_value")
        season = self.season or season_of(windows.outputs_of(training))
        if season is not None:
            found |= error_of(*windows.season_before(validation, season), "seasonal_naive")
        return {name: value for name, value in found.items() if self.quantiles is None or "loss" not in name}

    def _divided(
        self, rows: Rows, ordered: list[Order], settings: Settings
    ) -> tuple[list[Order], list[Array], list[int | None]]:
        """The series that are long enough; of each the rows where a part ends, or the part that it is in as a whole."""
        least = self.window + self.reach
        if settings.kind("ordered") == "group":
            if settings.group is None:
                raise UsageError("split by group needs to know the groups: name their column in the table with group")
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
