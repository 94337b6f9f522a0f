"""The parts of an experiment, checked one by one: all that can be said about a file before its data is read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minidl.config.build import revive
from minidl.config.declared import Declared
from minidl.config.findings import Finding, is_misspelt, shown, suggest_key, unknown_name
from minidl.data import Data
from minidl.experiment.build.class_weights import split_class_weights
from minidl.experiment.build.expect import Expect
from minidl.experiment.build.graph_builder import Plan, plan_layers, plan_node
from minidl.experiment.build.init_from import InitFrom
from minidl.experiment.build.model_file import Builder, find_builder, load_builder
from minidl.experiment.build.sections import NAME, Header, Log, Samples, Several, Train
from minidl.graph.layer import Layer
from minidl.optim import Optimizer
from minidl.system.errors import ExperimentError, suggest

SECTIONS: dict[str, type[Declared]] = {
    "data": Data,
    "optimizer": Optimizer,
    "train": Train,
    "log": Log,
    "sample": Samples,
    "processes": Several,
    "expect": Expect,
    "init_from": InitFrom,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "optimizer": {"type": "Adam"},
    "train": {"epochs": 1},
    "log": {},
    "sample": {},
    "processes": {},
    "expect": {},
}
REQUIRED = ("data", "model", "loss")
HEADER = tuple(field.name for field in dataclasses.fields(Header))
KNOWN = ("extends", *HEADER, *REQUIRED, *DEFAULTS, "init_from")


class Parts:
    """What each section of a file describes, None where it is mistaken.

    tree: the file as plain data, without references. folder: where model files are looked for. stem: the name of the
    file, by which the experiment is called if it says nothing else. mistakes: where all that is wrong is added.
    before: the same with other facts of the data, if they were read before.
    """

    def __init__(
        self,
        tree: Mapping[str, Any],
        folder: Path,
        stem: str,
        mistakes: list[Finding],
        before: Parts | None = None,
    ) -> None:
        self.tree, self._folder, self._mistakes = tree, folder, mistakes
        self._check_names()
        self.header: Header | None = self._header(stem)
        self.sections = {name: self._section(name) for name in SECTIONS}
        self.layers: list[Plan] = []
        self.builder: Builder | None = before.builder if before else None
        self._model(before.layers if before else ())
        self.class_weights: Any = None
        self.loss = self._loss()

    @property
    def data(self) -> Data | None:
        """The kind of data, not loaded yet."""
        data: Data | None = self.sections["data"]
        return data

    def _check_names(self) -> None:
        unknown = [name for name in self.tree if name not in KNOWN]
        for name in unknown:
            message = f"unknown section {name!r}{suggest_key(name, KNOWN)} (known: {', '.join(KNOWN)})"
            self._mistakes.append(Finding((name,), message, unknown=True))
        for name in REQUIRED:
            absence = "empty" if name in self.tree else "missing"
            if self.tree.get(name) is None and not is_misspelt(name, unknown, KNOWN):
                self._mistakes.append(Finding((name,), f"the section {name!r} is {absence}"))

    def _header(self, stem: str) -> Header | None:
        given = {name: self.tree[name] for name in HEADER if self.tree.get(name) is not None}
        header: Header | None = revive(Header, {"name": from_stem(stem), **given}, (), self._mistakes)
        return header

    def _section(self, name: str) -> Any:
        section = self.tree.get(name)
        if section is None:
            section = DEFAULTS.get(name)
        return None if section is None else revive(SECTIONS[name], section, (name,), self._mistakes)

    def _model(self, before: Sequence[Plan]) -> None:
        model = self.tree.get("model")
        if model is None:
            return
        if not isinstance(model, Mapping) or ("layers" in model) == ("type" in model):
            self._mistakes.append(_no_model(model))
        elif "layers" in model:
            self._mistakes += [unknown_name(("model", name), ["layers"]) for name in model if name != "layers"]
            self.layers = plan_layers(model["layers"], ("model", "layers"), self._mistakes, before)
        elif self.builder is None:
            self.builder = self._load_builder(model["type"])

    def _load_builder(self, name: Any) -> Builder | None:
        try:
            return load_builder(find_builder(name, self._folder))
        except ExperimentError as error:
            self._mistakes.append(Finding(("model", "type"), str(error)))
            return None

    def _loss(self) -> Plan | None:
        item = self.tree.get("loss")
        if item is None:
            return None
        if isinstance(item, Mapping):
            item, self.class_weights = split_class_weights(item, self._mistakes)
        plan = plan_node(item, ("loss",), self._mistakes)
        layer = plan.layer
        if layer is not None and not layer.variadic and len(layer.inputs) < 2:
            message = f"{layer.type_name()} is not a loss: it compares nothing with targets (losses: {losses()})"
            self._mistakes.append(Finding(("loss", "type"), message))
            return dataclasses.replace(plan, layer=None)
        return plan


def _no_model(model: Any) -> Finding:
    """What is wrong with a model that is neither of the two kinds."""
    kinds = ["layers", "type"]
    if isinstance(model, Mapping) and not set(kinds) & set(model):
        for name in model:
            if suggest(name, kinds):
                return unknown_name(("model", name), kinds)
    wanted = "either {layers: [...]}, or {type: NAME of a file in models/} with its arguments"
    return Finding(("model",), f"a model is {wanted}; got {shown(model)}")


def from_stem(stem: str) -> str:
    """The name of an experiment that gives none: that of its file, made fit to be one.

    >>> from_stem("char_lstm"), from_stem("my first net (2)")
    ('char_lstm', 'my_first_net_2')
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("_.-")
    return name if re.fullmatch(NAME, name) else "experiment"


def homes() -> dict[str, str]:
    """In which section a name belongs, for all names that belong in one section only.

    >>> homes()["batch_size"], homes()["epochs"], homes()["clip_norm"]
    ('data', 'train', 'optimizer')
    """
    found: dict[str, set[str]] = {}
    for section, family in SECTIONS.items():
        for cls in family.types().values():
            for field in dataclasses.fields(cls):
                found.setdefault(field.name, set()).add(section)
    return {name: min(sections) for name, sections in found.items() if len(sections) == 1}


def losses() -> str:
    """The layers that compare with targets."""
    return ", ".join(name for name, layer in Layer.types().items() if "targets" in layer.inputs)
