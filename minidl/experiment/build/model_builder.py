"""The network of an experiment, wired on its data: layers, then the loss, and nothing left over."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minidl.config.findings import Checked, Finding, gathered
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


def assemble(parts: Parts, dataset: Dataset) -> Checked[Network | None]:
    """Wire the parts on the inputs of the data; None where they do not fit, or are mistaken themselves."""
    inputs = data_inputs(dataset)
    chain = Chain(inputs)
    network, mistakes = gathered(_wired(parts, dataset, inputs, chain))
    if network is not None and not mistakes and not parts.mistakes:
        mistakes = [*chain.unused(), *_wrong_loss(network.loss), *_unread(network.loss, dataset)]
    yield from mistakes
    return None if mistakes or parts.mistakes else network


def _wired(parts: Parts, dataset: Dataset, inputs: Mapping[str, Symbol], chain: Chain) -> Checked[Network | None]:
    settings = (yield from _built(parts, {**dataset.facts, **inputs}, chain)) if parts.builder else None
    for plan in parts.layers:
        yield from chain.add(plan)
    if parts.builder is None and not parts.layers:
        chain.put(None, ("model",))
    if parts.loss is None:
        return None
    weighed = yield from with_class_weights(parts.loss, parts.class_weights, dataset)
    loss = yield from chain.add(_with_targets(weighed, chain, inputs))
    return None if loss is None else Network(loss, settings, weighed)


def _with_targets(loss: Plan, chain: Chain, inputs: Mapping[str, Symbol]) -> Plan:
    """A loss that names no inputs compares the last node with the targets, weighed by the weights of the data."""
    if loss.sources is not None:
        return loss
    fed = dict(zip(loss.layer.inputs if loss.layer is not None else (), (chain.last, "targets"), strict=False))
    if loss.layer is not None and "weights" in inputs and "weights" in loss.layer.inputs:
        fed["weights"] = "weights"
        return dataclasses.replace(loss, sources=tuple(fed.values()), ports=tuple(fed))
    return dataclasses.replace(loss, sources=(chain.last, "targets"))


def _built(parts: Parts, offered: Mapping[str, Any], chain: Chain) -> Checked[dict[str, Any]]:
    """Let a model file build; the settings it was given."""
    assert parts.builder is not None
    given = {name: value for name, value in parts.tree["model"].items() if name != "type"}
    (node, settings), found = gathered(parts.builder.call(given, offered))
    yield from (dataclasses.replace(item, path=("model", *(item.path or ("type",)))) for item in found)
    chain.put(node, ("model",))
    return settings


def _wrong_loss(loss: Node) -> Iterator[Finding]:
    name, targets = loss.layer.type_name(), loss.inputs[1]
    if loss.shape != ():
        message = f"{name} gives {show(loss.shape)}, and a loss gives one number (losses: {losses()})"
        yield Finding(("loss",), message)
    elif not isinstance(targets, Input):
        message = f"a loss compares with an input of the data, such as targets, not with the node {targets.label!r}"
        yield Finding(("loss", "inputs"), message)


def _unread(loss: Node, dataset: Dataset) -> Iterator[Finding]:
    read = Graph({"loss": loss}).inputs
    for name in dataset.inputs:
        if name not in read:
            example = f"such as {{type: Last, inputs: [lstm, {name}]}}" if name == "lengths" else "or leave it out"
            yield Finding(
                ("model",), f"no layer reads {name!r} of the data: name it in the inputs of a layer, {example}"
            )
