"""Seasons: after how many rows a series of numbers repeats itself."""

from __future__ import annotations

import logging

import numpy as np

from minidl.data.batches import Array

logger = logging.getLogger("minidl")
LONGEST = 1 << 17  # rows that are looked at: a second of a sound, years of hours
LEAST = 0.3  # autocorrelation that counts as a season


def season_of(values: Array) -> int | None:
    """The lag of the highest peak of the autocorrelation of numbers (N, K), the mean over columns; None without one.

    Peaks count from where the autocorrelation has first fallen below zero, up to half of the rows. What is found is
    told in the log. NaN counts as the mean.

    Box, Jenkins, Reinsel, Time Series Analysis, section 2.1.

    >>> season_of(np.sin(2 * np.pi * np.arange(120) / 12)[:, None])
    12
    """
    correlation = _autocorrelation(values[-LONGEST:])
    falls = np.flatnonzero(correlation < 0)
    if not falls.size:
        return None
    lags = np.arange(falls[0], len(correlation) - 1)
    middle = correlation[lags]
    peaks = lags[(middle >= correlation[lags - 1]) & (middle > correlation[lags + 1]) & (middle >= LEAST)]
    if not peaks.size:
        return None
    season = int(peaks[correlation[peaks].argmax()])
    logger.info("season: %d rows, found by autocorrelation (%.2f)", season, correlation[season])
    return season


def rows_back(ahead: Array, season: int) -> Array:
    """How far before a row that is `ahead` the newest row stands that is known and of the same place in its season.

    >>> rows_back(np.array([1, 3, 4, 5]), season=4).tolist()
    [4, 4, 4, 8]
    """
    found: Array = season * np.maximum(-(-ahead // season), 1)
    return found


def _autocorrelation(values: Array) -> Array:
    """At lag 0, 1, … up to half of the rows, each sum over all rows; nothing where all are the same."""
    centred = np.nan_to_num(values - np.nanmean(values, axis=0))
    spectrum = np.fft.rfft(centred, 2 * len(centred), axis=0)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: len(centred) // 2 + 2]
    varying = covariance[0] > 0
    if not varying.any():
        return np.zeros(0)
    found: Array = (covariance[:, varying] / covariance[0, varying]).mean(axis=1)
    return found
