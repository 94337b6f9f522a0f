"""How the values of a trial are drawn: by a sampler that is made anew for each trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial


class SeededByTrial(BaseSampler):
    """What a trial is given depends on the seed, on its number and on the trials before it.

    It does not depend on which process asks, nor on how often a sweep was interrupted, as a generator that goes on
    from trial to trial would.

    of_trial: the sampler of a trial, by its number.
    """

    def __init__(self, of_trial: Callable[[int], BaseSampler]) -> None:
        self._of_trial = of_trial
        self._sampler = of_trial(0)
        self._drawn: set[str] = set()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Called by Optuna for each trial, before any other method."""
        self._sampler, self._drawn = self._of_trial(trial.number), set()
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Ranges that are drawn together."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values of ranges that are drawn together."""
        values = self._sampler.sample_relative(study, trial, search_space)
        self._drawn.update(values)
        return values

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """The value of one range; those that a process had drawn before it was killed are drawn again first."""
        for name, distribution in trial.distributions.items():
            if name not in self._drawn:
                self._sampler.sample_independent(study, trial, name, distribution)
        self._drawn.update((*trial.distributions, param_name))
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, *arguments: Any) -> None:
        """Called by Optuna at the end of each trial."""
        self._sampler.after_trial(*arguments)


class OneCombination(RandomSampler):
    """These values, by key."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self._values = values

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """The value of one range."""
        return self._values[param_name]
