"""The seasonal naive forecast: the season that is found, and the guess against loops over the rows of a file."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl.data import Forecasting, Series, Table
from minidl.data.seasons import rows_back, season_of

DRAWN = np.random.default_rng(0)
NOISE = DRAWN.standard_normal((400, 1))


@pytest.mark.parametrize("season", [2, 7, 12, 24, 53])
def test_a_season_under_noise_is_found(season: int) -> None:
    values = np.tile(np.linspace(-1, 1, season), 400 // season)[:, None]
    assert season_of(values) == season
    assert season_of(values + 0.2 * NOISE[: len(values)]) == season


@pytest.mark.parametrize(
    "values", [NOISE, np.ones((50, 2)), np.arange(90.0)[:, None], np.ones((1, 1)), np.cumsum(NOISE[:60], axis=0)]
)
def test_there_is_no_season_where_nothing_repeats(values: np.ndarray) -> None:
    assert season_of(values) is None


def test_gaps_do_not_hide_a_season() -> None:
    values = np.sin(np.arange(200) * 2 * np.pi / 10)[:, None].repeat(2, axis=1)
    values[::17, 0] = np.nan
    assert season_of(values) == 10


@given(st.integers(1, 40), st.integers(1, 15))
def test_what_is_known_is_not_ahead_and_of_the_same_place_in_its_season(ahead: int, season: int) -> None:
    back = int(rows_back(np.array(ahead), season))
    assert back % season == 0
    assert ahead <= back < ahead + season


def write(path: Path, count: int = 180) -> np.ndarray:
    values = 5 + np.arange(count) % 9 + 0.2 * DRAWN.standard_normal(count)
    path.write_text("y\n" + "\n".join(map(repr, values.tolist())))
    scaled: np.ndarray = (values - values[: count // 3].mean()) / values[: count // 3].std()
    return scaled


@pytest.mark.parametrize(("season", "path"), [(None, 4), (9, 12), (2, 5), (80, 3)])
def test_the_guess_of_a_forecast(tmp_path: Path, season: int | None, path: int) -> None:
    scaled = write(tmp_path / "y.csv")
    task = Forecasting(("y",), window=5, path=path, season=season)
    found = Table("y.csv", task, split=(1 / 3, 1 / 3, 1 / 3)).load(tmp_path).baselines
    errors = []
    for end in range(60 + 4, 120 - path):
        sources = [next(r for r in range(end + k, -99, -(season or 9)) if r <= end) for k in range(1, path + 1)]
        if min(sources) >= 60:
            errors += [scaled[end + k] - scaled[row] for k, row in enumerate(sources, start=1)]
    if errors:
        assert found["mean_absolute_error/seasonal_naive"] == pytest.approx(np.abs(errors).mean())
        assert found["loss/seasonal_naive"] == pytest.approx(np.square(errors).mean())
    assert ("loss/seasonal_naive" in found) == bool(errors)
    assert "loss/last_value" in found


@pytest.mark.parametrize(("season", "horizon"), [(None, 0), (9, 1), (4, 6), (70, 0)])
def test_the_guess_of_a_series(
    tmp_path: Path, season: int | None, horizon: int, caplog: pytest.LogCaptureFixture
) -> None:
    scaled = write(tmp_path / "y.csv")
    series = Series("y.csv", ("y",), ("y",), horizon, (0.4, 0.4, 0.2), batch_size=1, seq_len=4, season=season)
    with caplog.at_level(logging.INFO, "minidl"):
        dataset = series.load(tmp_path)
    assert ("season: 9 rows, found by autocorrelation" in caplog.text) == (season is None)
    first, stop = (round((180 - horizon) * share) for share in (0.4, 0.8))
    back = (season or 9) * max(-(-horizon // (season or 9)), 1)
    rows = np.arange(max(first, back - horizon), stop) + horizon
    errors = (scaled[rows] - scaled[rows - back]) / scaled[:first].std()
    assert dataset.baselines["loss/seasonal_naive"] == pytest.approx(np.square(errors).mean(), rel=1e-5)
    assert "loss/mean" in dataset.baselines
