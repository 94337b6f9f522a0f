"""What an experiment would do, without doing it: the model, steps, and an estimate of memory."""

from __future__ import annotations

import json

from minidl.experiment.experiment import Experiment
from minidl.table import parameter_count

MEGABYTE = 1e6


def preview(experiment: Experiment, *, as_json: bool = False) -> str:
    """The text that `--dry-run` prints, or its numbers as one JSON object."""
    data, graph = experiment.dataset, experiment.model.graph
    weights = sum(parameter_count(graph, name) for name in graph.nodes)
    shapes = {name: array.shape for name, array in data.train.batch(0).inputs.items()}
    memory = experiment.model.executor.estimate(shapes) + len(experiment.optimizer.slots) * weights * 4
    numbers = {
        "name": experiment.name,
        "parameters": weights,
        "steps_per_epoch": data.train.steps_per_epoch,
        "total_steps": _total_steps(experiment),
        "tokens_per_step": data.train.tokens_per_step,
        "memory_bytes": memory,
        **{f"data.{name}": value for name, value in data.facts.items()},
    }
    if as_json:
        return json.dumps(numbers)
    shown = {name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in numbers.items()}
    shown["memory_bytes"] = f"about {memory / MEGABYTE:.0f} MB in arrays"
    lines = [f"{name.replace('_', ' ').replace('memory bytes', 'memory')}: {value}" for name, value in shown.items()]
    return f"{experiment.model}\n\n" + "\n".join(lines)


def _total_steps(experiment: Experiment) -> int | str:
    train, per_epoch = experiment.train, experiment.dataset.train.steps_per_epoch
    limits = [train.steps, None if train.epochs is None else round(train.epochs * per_epoch)]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else f"as many as fit into {train.minutes:g} minutes"
