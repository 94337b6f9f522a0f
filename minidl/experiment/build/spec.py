"""The parts of an experiment, checked one by one: all that can be said about a file before its data is read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.config.build import revive
from minidl.config.declared import Declared
from minidl.config.findings import Checked, Finding, gathered, is_misspelt, shown, suggest_key, unknown_name
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


@dataclass(frozen=True)
class Parts:
    """What each section of a file describes, None where it is mistaken.

    tree: the file as plain data, without references. builder: of a model file, in the place of layers. mistakes: all
    that is wrong.
    """

    tree: Mapping[str, Any]
    header: Header | None
    sections: dict[str, Any]
    layers: list[Plan]
    builder: Builder | None
    loss: Plan | None
    class_weights: Any
    mistakes: tuple[Finding, ...] = ()

    @property
    def data(self) -> Data | None:
        """The kind of data, not loaded yet."""
        data: Data | None = self.sections["data"]
        return data


def read_parts(tree: Mapping[str, Any], folder: Path, stem: str, before: Parts | None = None) -> Parts:
    """The parts of a file.

    folder: where model files are looked for. stem: the name of the file, by which the experiment is called if it says
    nothing else. before: the same with other facts of the data, if they were read before.
    """
    parts, mistakes = gathered(_parts(tree, folder, stem, before))
    return dataclasses.replace(parts, mistakes=tuple(mistakes))


def _parts(tree: Mapping[str, Any], folder: Path, stem: str, before: Parts | None) -> Checked[Parts]:
    yield from _wrong_names(tree)
    given = {name: tree[name] for name in HEADER if tree.get(name) is not None}
    header = yield from revive(Header, {"name": from_stem(stem), **given}, ())
    sections = {}
    for name in SECTIONS:
        section = DEFAULTS.get(name) if tree.get(name) is None else tree[name]
        sections[name] = None if section is None else (yield from revive(SECTIONS[name], section, (name,)))
    layers, builder = yield from _model(tree.get("model"), folder, before)
    loss, class_weights = yield from _loss(tree.get("loss"))
    return Parts(tree, header, sections, layers, builder, loss, class_weights)


def _wrong_names(tree: Mapping[str, Any]) -> Iterator[Finding]:
    unknown = [name for name in tree if name not in KNOWN]
    for name in unknown:
        message = f"unknown section {name!r}{suggest_key(name, KNOWN)} (known: {', '.join(KNOWN)})"
        yield Finding((name,), message, unknown=True)
    for name in REQUIRED:
        absence = "empty" if name in tree else "missing"
        if tree.get(name) is None and not is_misspelt(name, unknown, KNOWN):
            yield Finding((name,), f"the section {name!r} is {absence}")


def _model(model: Any, folder: Path, before: Parts | None) -> Checked[tuple[list[Plan], Builder | None]]:
    builder = before.builder if before else None
    if model is None:
        return [], builder
    if not isinstance(model, Mapping) or ("layers" in model) == ("type" in model):
        yield _no_model(model)
    elif "layers" in model:
        yield from (unknown_name(("model", name), ["layers"]) for name in model if name != "layers")
        layers = yield from plan_layers(model["layers"], ("model", "layers"), before.layers if before else ())
        return layers, builder
    elif builder is None:
        try:
            builder = load_builder(find_builder(model["type"], folder))
        except ExperimentError as error:
            yield Finding(("model", "type"), str(error))
    return [], builder


def _loss(item: Any) -> Checked[tuple[Plan | None, Any]]:
    """The loss, and its weights of classes where these need the data."""
    if item is None:
        return None, None
    class_weights = None
    if isinstance(item, Mapping):
        item, class_weights = yield from split_class_weights(item)
    plan = yield from plan_node(item, ("loss",))
    layer = plan.layer
    if layer is not None and not layer.variadic and len(layer.inputs) < 2:
        message = f"{layer.type_name()} is not a loss: it compares nothing with targets (losses: {losses()})"
        yield Finding(("loss", "type"), message)
        plan = dataclasses.replace(plan, layer=None)
    return plan, class_weights


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
