"""How a sweep searches: what draws the values of each trial, and what ends trials early."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler

from minidl.experiment.sweep.ranges import Space
from minidl.experiment.sweep.trial_values import OneCombination, SeededByTrial
from minidl.system.errors import UsageError

FINISHED_FIRST = 5  # trials that end before others are compared with them
SPARED = 1  # evaluations of each trial that are not compared


@dataclass(frozen=True)
class Search:
    """What draws values and what ends trials, by the names that Optuna has for them.

    space: the ranges. seed: of the values. kind: a tree-structured Parzen estimator (Bergstra et al. 2011, section 4),
    evenly drawn, every combination in turn, or CMA-ES (Hansen 2016). prunes: by the median of the other trials at the
    same evaluation, or by successive halving in brackets (Li et al. 2018), or not at all.
    """

    space: Space
    seed: int = 0
    kind: Literal["tpe", "random", "grid", "cmaes"] = "tpe"
    prunes: Literal["median", "hyperband", "none"] = "median"

    def sampler(self) -> BaseSampler:
        """What draws the values of trials; UsageError where it cannot."""
        if self.kind == "grid" and self.space.size is None:
            raise UsageError("--sampler grid tries all values: it needs ranges that are choice(...) or int(...)")
        if self.kind == "cmaes" and find_spec("cmaes") is None:
            raise UsageError("--sampler cmaes needs cmaes: pip install cmaes")
        return SeededByTrial(self._of_trial)

    def pruner(self) -> BasePruner:
        """What ends trials."""
        match self.prunes:
            case "median":
                return MedianPruner(FINISHED_FIRST, SPARED + 1)
            case "hyperband":
                return HyperbandPruner(min_resource=SPARED + 1)
            case "none":
                return NopPruner()

    def _of_trial(self, number: int) -> BaseSampler:
        seed = zlib.crc32(f"{self.seed} {number}".encode())
        match self.kind:
            case "tpe":
                return TPESampler(seed=seed)
            case "random":
                return RandomSampler(seed=seed)
            case "grid":
                return OneCombination(self.space.combination(number))
            case "cmaes":
                return CmaEsSampler(seed=seed, warn_independent_sampling=False)
