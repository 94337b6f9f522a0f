"""What an experiment would do, without doing it: the model, steps, and an estimate of memory."""

from __future__ import annotations

import json
import math
from typing import Any

from minidl.experiment.build.experiment import Experiment
from minidl.experiment.run.memory_check import check_memory, memory_of
from minidl.graph.summary import parameter_count
from minidl.layers.steps import one_sided
from minidl.system.processes import processes

MEGABYTE = 1e6


def preview(experiment: Experiment, *, as_json: bool = False) -> str:
    """The text that `--dry-run` prints, or its numbers as one JSON object."""
    numbers = _numbers(experiment)
    if as_json:
        return json.dumps(numbers)
    shown = {name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in numbers.items()}
    if numbers["total_steps"] is None:
        minutes = experiment.train.minutes
        shown["total_steps"] = f"as many as fit into {minutes:g} minute{'s' if minutes != 1 else ''}"
    shown["memory"] = f"about {numbers['memory_bytes'] / MEGABYTE:,.1f} MB in arrays"
    del shown["memory_bytes"]
    facts = [f"{_title(name)}: {value}" for name, value in shown.items()]
    return "\n".join([f"{experiment.model}\n", *facts, *_warnings(experiment)])


def _warnings(experiment: Experiment) -> list[str]:
    """What can be computed, and is hardly meant."""
    return [
        f"warning: {name!r} takes the last step of what reads backwards, which there has read a single symbol: "
        "put Last directly after Bidirectional, and it takes both ends"
        for name in one_sided(experiment.model.graph)
    ]


def _title(name: str) -> str:
    """A fact of the data is called as `${...}` calls it."""
    return name if name.startswith("data.") else name.replace("_", " ")


def _numbers(experiment: Experiment) -> dict[str, Any]:
    model, data = experiment.model, experiment.dataset
    in_shares = processes().are_launched
    check_memory(experiment, in_shares=in_shares)
    return {
        "name": experiment.name,
        "parameters": sum(parameter_count(model.graph, name) for name in model.graph.nodes),
        "steps_per_epoch": math.ceil(data.train.steps_per_epoch / experiment.train.accumulate),
        "total_steps": experiment.total_steps,
        "tokens_per_step": experiment.train.accumulate * data.train.tokens_per_step,
        "memory_bytes": memory_of(experiment, in_shares=in_shares),
        **{f"data.{name}": value for name, value in data.facts.items()},
    }
