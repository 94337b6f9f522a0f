"""An experiment: everything that an experiment file says, checked, built, and ready to be written down in full."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.config.declared import Declared
from minidl.data import Data, Dataset
from minidl.experiment.build.expect import Expect
from minidl.experiment.build.graph_builder import Plan
from minidl.experiment.build.init_from import InitFrom
from minidl.experiment.build.sections import Header, Log, Samples, Several, Train
from minidl.experiment.yaml.references import escape
from minidl.model import Model
from minidl.optim import Optimizer
from minidl.training.callback import Every


@dataclass(frozen=True)
class Experiment:
    """What a file says. `read_experiment` makes it.

    network: the layers of the file, or the settings of its model file. folder: where paths of the data start. builder:
    the model file, if there is one. code: it and all that it imports from its folder, by the names that a run gives.
    """

    header: Header
    data: Data
    network: tuple[Plan, ...] | dict[str, Any]
    loss: Plan
    optimizer: Optimizer
    train: Train
    log: Log
    sample: Samples
    processes: Several
    expect: Expect
    init_from: InitFrom | None
    dataset: Dataset
    model: Model
    folder: Path
    builder: Path | None
    code: Mapping[str, Path]

    @property
    def name(self) -> str:
        """The name of the experiment; its runs lie in runs/NAME."""
        return self.header.name

    @property
    def seed(self) -> int:
        """The seed of first weights, dropout and samples."""
        return self.header.seed

    @property
    def total_steps(self) -> int | None:
        """Where training ends; None where time alone decides."""
        return self.train.total_steps(self.dataset.train.steps_per_epoch)

    def resolved(self) -> dict[str, Any]:
        """The tree of a file that says the same with every default written out, and paths that hold from any folder."""
        data = complete(self.data)
        tree = {
            **complete(self.header),
            "data": {**data, "source": _absolute(data["source"], self.folder)} if "source" in data else data,
            "model": self._network(),
            "loss": _complete_node(self.loss),
            "optimizer": complete(self.optimizer),
            "train": complete(self.train),
            "log": complete(self.log),
            "sample": complete(self.sample),
            "processes": complete(self.processes),
            "expect": complete(self.expect),
            **({} if self.init_from is None else {"init_from": complete(self.init_from)}),
        }
        resolved: dict[str, Any] = escape(tree)
        return resolved

    def _network(self) -> dict[str, Any]:
        if isinstance(self.network, dict):
            assert self.builder is not None
            return {"type": self.builder.stem, **self.network}
        return {"layers": [_complete_node(plan) for plan in self.network]}


def _complete_node(plan: Plan) -> dict[str, Any]:
    inputs: dict[str, Any] = {} if plan.sources is None else {"inputs": list(plan.sources)}
    if plan.sources is not None and plan.ports is not None:
        inputs = {"inputs": dict(zip(plan.ports, plan.sources, strict=True))}
    settings: dict[str, Any] = complete(plan.layer)
    return settings | inputs


def complete(value: Any) -> Any:
    """Plain data in which declarations have all their fields, defaults included; sections need no type."""
    if isinstance(value, Every):
        return {name: amount for name, amount in value.config().items() if name != "type"}
    if isinstance(value, Declared):
        fields = {
            field.name: complete(getattr(value, field.name))
            for field in dataclasses.fields(value)  # type: ignore[arg-type]
            if field.init and not (field.name == "name" and getattr(value, "name", None) is None)
        }
        return {"type": value.type_name(), **fields} if len(value.registry) > 1 else fields
    if isinstance(value, (tuple, list)):
        return [complete(item) for item in value]
    return {key: complete(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _absolute(source: Any, folder: Path) -> Any:
    """A source, or several; names of files as paths from the root, all else as it is."""
    if isinstance(source, list):
        return [_absolute(item, folder) for item in source]
    is_file = isinstance(source, str) and (folder / source).is_file()
    return str((folder / source).resolve()) if is_file else source
