"""What has come out of a sweep, the best trial first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

STATES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "interrupted",
}


@dataclass(frozen=True)
class Result:
    """A trial: how it ended, its best validation loss, NAME/NUMBER of its run, its values, why it failed.

    With several seeds the loss is the mean over them, and the runs are those of all seeds.
    """

    trial: int
    state: str
    loss: float | None
    run: str | None
    runs: tuple[str, ...]
    values: dict[str, str]
    error: str | None


def results(trials: Iterable[FrozenTrial], wanted: float = math.inf) -> list[Result]:
    """The results of all trials: those that are done by their loss, then the others.

    wanted: how many trials; what several processes have asked for at once beyond that, and never begun, is left out.
    """
    found = [_result(trial) for trial in trials if trial.number < wanted or "run" in trial.user_attrs]
    return sorted(found, key=lambda r: (r.state != "done", math.inf if r.loss is None else r.loss, r.trial))


def _result(trial: FrozenTrial) -> Result:
    evaluated = [loss for loss in trial.intermediate_values.values() if math.isfinite(loss)]
    return Result(
        trial=trial.number,
        state=STATES[trial.state],
        loss=min(evaluated, default=None) if trial.value is None else trial.value,
        run=trial.user_attrs.get("run"),
        runs=tuple(trial.user_attrs[key] for key in sorted(trial.user_attrs) if key.split(" ")[0] == "run"),
        values={key: value if isinstance(value, str) else repr(value) for key, value in trial.params.items()},
        error=trial.user_attrs.get("error"),
    )
