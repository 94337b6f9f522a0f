"""An experiment: everything that an experiment file says, checked, with defaults in place."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidl.callbacks.base import Every
from minidl.data import Data, Dataset
from minidl.declared import Declared
from minidl.errors import ExperimentError, GraphError, suggest
from minidl.experiment import overrides, references, wiring
from minidl.experiment.document import Document, Mistake, load, report
from minidl.experiment.sections import Log, Samples, Train
from minidl.layer import Layer
from minidl.model import Model
from minidl.optim import Optimizer
from minidl.validation import Finding, revive

Path_ = tuple[str | int, ...]
SECTIONS: dict[str, type[Declared]] = {"optimizer": Optimizer, "train": Train, "log": Log, "sample": Samples}
DEFAULTS: dict[str, Any] = {"train": {"epochs": 1}, "log": {}, "sample": {}, "optimizer": {"type": "Adam"}}
PLAIN: dict[str, tuple[type, Any]] = {"name": (str, None), "seed": (int, 0), "dtype": (str, "float32")}
REQUIRED = ("data", "model", "loss")
KNOWN = (*PLAIN, *REQUIRED, *SECTIONS)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Experiment:
    """What a file says; `tree` is its plain data with references resolved, `folder` where its paths start."""

    name: str
    seed: int
    dtype: str
    data: Data
    optimizer: Optimizer
    train: Train
    log: Log
    sample: Samples
    dataset: Dataset
    model: Model
    tree: dict[str, Any]
    folder: Path
    builder: Path | None

    def resolved(self) -> dict[str, Any]:
        """The experiment with every default written out, and paths that hold from any folder."""
        data = complete(self.data)
        sections = {name: complete(getattr(self, name)) for name in SECTIONS}
        model = self.tree["model"]
        if "layers" in model:
            layers = [_complete_node(item) for item in model["layers"]]
            model = {"layers": layers}
        plain = {name: getattr(self, name) for name in PLAIN}
        loss = _complete_node(self.tree["loss"])
        return {**plain, "data": data | _absolute(data, self.folder), "model": model, "loss": loss, **sections}


def _complete_node(item: Mapping[str, Any]) -> dict[str, Any]:
    fields, sources = wiring.split_node(item)
    inputs = {} if sources is None else {"inputs": sources}
    return complete(Layer.from_config(fields)) | inputs


def complete(declared: Declared) -> dict[str, Any]:
    """A declaration with all its fields, defaults included; sections need no type."""
    if isinstance(declared, Every):
        return {name: value for name, value in declared.config().items() if name != "type"}
    needs_type = len(declared.registry) > 1
    fields = {
        field.name: _complete(getattr(declared, field.name))
        for field in dataclasses.fields(declared)  # type: ignore[arg-type]
        if field.init and not (field.name == "name" and declared.name is None)  # type: ignore[attr-defined]
    }
    return {"type": declared.type_name(), **fields} if needs_type else fields


def _complete(value: Any) -> Any:
    if isinstance(value, Declared):
        return complete(value)
    if isinstance(value, (tuple, list)):
        return [_complete(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _absolute(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    source = data.get("source")
    several = source if isinstance(source, list) else [source]
    paths = [str((folder / item).resolve()) if _is_file(folder, item) else item for item in several]
    return {"source": paths if isinstance(source, list) else paths[0]} if source is not None else {}


def _is_file(folder: Path, item: Any) -> bool:
    return isinstance(item, str) and (folder / item).is_file()


def read_experiment(path: str | Path, changes: list[str] | None = None) -> Experiment:
    """Read, check and build an experiment; ExperimentError lists all mistakes with their lines.

    changes: overrides such as "optimizer.lr=1e-3", checked like the file.
    """
    document = load(Path(path))
    overrides.apply(document, changes or [])
    return _Reader(document, Path(path).resolve().parent, Path(path).stem).read()


class _Reader:
    """Checks a document section by section and collects the mistakes."""

    def __init__(self, document: Document, folder: Path, stem: str) -> None:
        self.document, self.folder, self.stem = document, folder, stem
        self.mistakes: list[Finding] = []

    def read(self) -> Experiment:
        data = self._check(_example_facts(self.document.tree))
        self._report()
        dataset = data.load(self.folder)
        tree = references.resolve(self.document, _dotted(dataset.facts))
        self.tree = tree
        sections = {name: revive(SECTIONS[name], self._section(name), (name,), self.mistakes) for name in SECTIONS}
        self._report()
        plain = {name: tree.get(name, default) for name, (_, default) in PLAIN.items()}
        plain["name"] = plain["name"] or self.stem
        model, builder = self._model(dataset, plain["seed"], plain["dtype"])
        return Experiment(
            **plain, **sections, data=data, dataset=dataset, model=model, tree=tree, folder=self.folder, builder=builder
        )

    def _check(self, facts: Mapping[str, Any]) -> Data:
        """All that can be said before the data is there; facts of the data are made up."""
        self.tree = references.resolve(self.document, facts)
        for name in self.tree:
            if name not in KNOWN:
                names = ", ".join(KNOWN)
                self.mistakes.append(
                    Finding((name,), f"unknown section {name!r}{suggest(name, KNOWN)} (known: {names})")
                )
        for name in REQUIRED:
            if name not in self.tree:
                self.mistakes.append(Finding((), f"the section '{name}' is missing"))
        self._check_plain()
        for name, family in SECTIONS.items():
            self._revive(family, name)
        data: Data = self._revive(Data, "data")
        if "loss" in self.tree:
            wiring.check_node(self.tree["loss"], Layer, ("loss",), self.mistakes)
        self._check_model()
        return data

    def _check_plain(self) -> None:
        for name, (kind, _) in PLAIN.items():
            value = self.tree.get(name)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                expected = {str: "text", int: "a whole number"}[kind]
                self.mistakes.append(Finding((name,), f"{name!r} should be {expected}, got {value!r}"))
        name, dtype, seed = self.tree.get("name"), self.tree.get("dtype"), self.tree.get("seed")
        if isinstance(name, str) and not NAME.fullmatch(name):
            self.mistakes.append(Finding(("name",), f"a name is letters, digits, '.', '_' and '-', got {name!r}"))
        if dtype is not None and dtype not in ("float32", "float64"):
            self.mistakes.append(Finding(("dtype",), f"'dtype' should be float32 or float64, got {dtype!r}"))
        if isinstance(seed, int) and seed < 0:
            self.mistakes.append(Finding(("seed",), f"'seed' should be 0 or more, got {seed}"))

    def _revive(self, family: type[Declared], name: str) -> Any:
        section = self._section(name)
        if name not in self.tree and name not in DEFAULTS:
            return None
        if not isinstance(section, Mapping):
            self.mistakes.append(
                Finding((name,), f"{name!r} should be a mapping such as {{key: value}}, got {section!r}")
            )
            return None
        return revive(family, section, (name,), self.mistakes)

    def _section(self, name: str) -> Any:
        return self.tree.get(name, DEFAULTS.get(name))

    def _check_model(self) -> None:
        model = self.tree.get("model")
        if model is None:
            return
        if not isinstance(model, Mapping) or ("layers" in model) == ("type" in model):
            message = "a model is either layers: [...] or type: NAME of a file in models/, with its arguments"
            self.mistakes.append(Finding(("model",), message))
        elif "layers" in model:
            for name in set(model) - {"layers"}:
                self.mistakes.append(Finding(("model", name), f"unknown name {name!r}{suggest(name, ['layers'])}"))
            wiring.check_layers(model["layers"], ("model", "layers"), self.mistakes)
        else:
            try:
                wiring.find_builder(model["type"], self.folder)
            except ExperimentError as error:
                self.mistakes.append(Finding(("model", "type"), str(error)))

    def _model(self, dataset: Dataset, seed: int, dtype: str) -> tuple[Model, Path | None]:
        inputs = wiring.data_inputs(dataset)
        chain = wiring.Chain(inputs)
        config, builder = self.tree["model"], None
        if "layers" in config:
            for i, item in enumerate(config["layers"]):
                fields, sources = wiring.split_node(item)
                self._add(chain, Layer.from_config(fields), sources, ("model", "layers", i))
        else:
            builder = wiring.find_builder(config["type"], self.folder)
            self._call_builder(builder, chain, inputs, dataset.facts)
        fields, sources = wiring.split_node(self.tree["loss"])
        prediction = chain.known[chain.last]
        loss = self._add(chain, Layer.from_config(fields), sources or [chain.last, "targets"], ("loss",))
        self._report()
        model = Model(loss, outputs={prediction.label: prediction}, seed=seed, dtype=dtype)
        model.vocabulary = dataset.vocabulary
        return model, builder

    def _add(self, chain: wiring.Chain, layer: Layer, sources: list[str] | None, path: Path_) -> Any:
        try:
            return chain.add(layer, sources)
        except GraphError as error:
            self.mistakes.append(Finding(path, str(error)))
            self._report()  # what follows a node that cannot be made cannot be judged

    def _call_builder(self, path: Path, chain: wiring.Chain, inputs: Any, facts: Mapping[str, Any]) -> None:
        given = {key: value for key, value in self.tree["model"].items() if key != "type"}
        build = wiring.load_builder(path)
        arguments, mistakes = wiring.builder_arguments(build, given, inputs, facts)
        self.mistakes += [Finding(("model", *finding.path), finding.message) for finding in mistakes]
        self._report()
        try:
            node = build(**arguments)
        except GraphError as error:
            self.mistakes.append(Finding(("model",), str(error)))
            self._report()
        chain.known[node.label] = node
        chain.last = node.label

    def _report(self) -> None:
        if self.mistakes:
            found = [Mistake(self.document.mark(finding.path), finding.message) for finding in self.mistakes]
            raise ExperimentError(report(found))


def _dotted(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"data.{name}": value for name, value in facts.items()}


def _example_facts(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the right kind for the facts that the data will have, to check the rest of the file by."""
    section = tree.get("data")
    kind = section.get("type") if isinstance(section, Mapping) else None
    kinds = Data.types()
    names = kinds[kind].facts if kind in kinds else {name for known in kinds.values() for name in known.facts}
    return _dotted(dict.fromkeys(names, 64))
