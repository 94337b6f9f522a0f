"""The network of an experiment, wired on its data: layers, then the loss, and nothing left over."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minidl.config.findings import Finding
from minidl.data import Dataset
from minidl.experiment.build.class_weights import with_class_weights
from minidl.experiment.build.graph_builder import Chain, Plan, data_inputs
from minidl.experiment.build.spec import Parts, losses
from minidl.graph.graph import Graph
from minidl.graph.layer import Node
from minidl.graph.symbol import Input, Symbol, show


@dataclass(frozen=True)
class Network:
    """A wired network: its loss, with which settings a model file has built it, and the loss as a file would say it."""

    loss: Node
    settings: dict[str, Any] | None
    plan: Plan

    @property
    def prediction(self) -> Symbol:
        """What the loss compares with the targets."""
        return self.loss.inputs[0]


def assemble(parts: Parts, dataset: Dataset, mistakes: list[Finding]) -> Network | None:
    """Wire the parts on the inputs of the data; None, and mistakes, where they do not fit."""
    inputs = data_inputs(dataset)
    chain = Chain(inputs, mistakes)
    settings = _build(parts, {**dataset.facts, **inputs}, chain, mistakes) if parts.builder else None
    for plan in parts.layers:
        chain.add(plan)
    if parts.builder is None and not parts.layers:
        chain.put(None, ("model",))
    weighed = None if parts.loss is None else with_class_weights(parts.loss, parts.class_weights, dataset, mistakes)
    loss = None if weighed is None else chain.add(_with_targets(weighed, chain, inputs))
    if loss is None or mistakes:
        return None
    chain.report_unused()
    _check_loss(loss, mistakes)
    _check_all_read(loss, dataset, mistakes)
    return None if mistakes or weighed is None else Network(loss, settings, weighed)


def _with_targets(loss: Plan, chain: Chain, inputs: Mapping[str, Symbol]) -> Plan:
    """A loss that names no inputs compares the last node with the targets, weighed by the weights of the data."""
    if loss.sources is not None:
        return loss
    fed = dict(zip(loss.layer.inputs if loss.layer is not None else (), (chain.last, "targets"), strict=False))
    if loss.layer is not None and "weights" in inputs and "weights" in loss.layer.inputs:
        fed["weights"] = "weights"
        return dataclasses.replace(loss, sources=tuple(fed.values()), ports=tuple(fed))
    return dataclasses.replace(loss, sources=(chain.last, "targets"))


def _build(parts: Parts, offered: Mapping[str, Any], chain: Chain, mistakes: list[Finding]) -> dict[str, Any] | None:
    """Let a model file build; the settings it was given."""
    assert parts.builder is not None
    given = {name: value for name, value in parts.tree["model"].items() if name != "type"}
    found: list[Finding] = []
    node, settings = parts.builder.call(given, offered, found)
    mistakes += [dataclasses.replace(item, path=("model", *(item.path or ("type",)))) for item in found]
    chain.put(node, ("model",))
    return settings


def _check_loss(loss: Node, mistakes: list[Finding]) -> None:
    name, targets = loss.layer.type_name(), loss.inputs[1]
    if loss.shape != ():
        message = f"{name} gives {show(loss.shape)}, and a loss gives one number (losses: {losses()})"
        mistakes.append(Finding(("loss",), message))
    elif not isinstance(targets, Input):
        message = f"a loss compares with an input of the data, such as targets, not with the node {targets.label!r}"
        mistakes.append(Finding(("loss", "inputs"), message))


def _check_all_read(loss: Node, dataset: Dataset, mistakes: list[Finding]) -> None:
    read = Graph({"loss": loss}).inputs
    for name in dataset.inputs:
        if name not in read:
            example = f"such as {{type: Last, inputs: [lstm, {name}]}}" if name == "lengths" else "or leave it out"
            message = f"no layer reads {name!r} of the data: name it in the inputs of a layer, {example}"
            mistakes.append(Finding(("model",), message))
