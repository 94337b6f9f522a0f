"""From the `model:` and `loss:` of an experiment to a graph: a list of layers, or a builder in models/NAME.py."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from minidl.data.batches import Dataset
from minidl.errors import ExperimentError, GraphError, suggest
from minidl.layer import Layer
from minidl.node import Input, Node, Symbol
from minidl.validation import Finding, revive

Builder = Callable[..., Node]


def data_inputs(data: Dataset) -> dict[str, Symbol]:
    """An Input for each array that the data gives."""
    return {
        name: Input(name, dtype=spec.dtype, depth=spec.depth, shape=spec.shape) for name, spec in data.inputs.items()
    }


class Chain:
    """A list of layers being wired: each follows the one above it, or names what feeds it.

    known: inputs and nodes by name. last: what the next layer follows.
    """

    def __init__(self, inputs: Mapping[str, Symbol]) -> None:
        self.known: dict[str, Symbol] = dict(inputs)
        self.last: str = next(iter(inputs))

    def add(self, layer: Layer, sources: list[str] | None = None) -> Node:
        """Put a layer on its sources; GraphError says what does not fit."""
        fed = [self._find(name) for name in (sources if sources is not None else [self.last])]
        name = layer.name or self._free(layer.default_name())
        if name in self.known:
            raise GraphError(f"there is a node or input named {name!r} already: give this one another name")
        node = dataclasses.replace(layer, name=name)(*fed)
        self.known[name] = node
        self.last = name
        return node

    def _find(self, name: str) -> Symbol:
        if name not in self.known:
            raise GraphError(f"there is no node {name!r}{suggest(name, self.known)} (so far: {', '.join(self.known)})")
        return self.known[name]

    def _free(self, base: str) -> str:
        names = [base, *(f"{base}_{i}" for i in range(2, len(self.known) + 3))]
        return next(name for name in names if name not in self.known)


def split_node(config: Any) -> tuple[dict[str, Any], list[str] | None]:
    """The layer's own settings, and what feeds it."""
    fields = dict(config)
    sources = fields.pop("inputs", None)
    return fields, [sources] if isinstance(sources, str) else sources


def check_layers(layers: Any, path: tuple[str | int, ...], mistakes: list[Finding]) -> list[Layer | None]:
    """The layers of a list, with all mistakes in their settings; None in the place of a mistaken one."""
    if not isinstance(layers, list) or not layers:
        mistakes.append(Finding(path, "layers should be a list of layers, such as [{type: LSTM, units: 128}, ...]"))
        return []
    return [check_node(item, Layer, (*path, i), mistakes) for i, item in enumerate(layers)]


def check_node(item: Any, family: type[Layer], path: tuple[str | int, ...], mistakes: list[Finding]) -> Any:
    """One node's layer; `inputs` is a name or a list of names."""
    if not isinstance(item, Mapping):
        mistakes.append(Finding(path, f"a layer is written as {{type: NAME, ...}}, got {item!r}"))
        return None
    fields, sources = split_node(item)
    if sources is not None and not (isinstance(sources, list) and all(isinstance(name, str) for name in sources)):
        mistakes.append(Finding((*path, "inputs"), "'inputs' should be a list of names of nodes, such as [lstm, skip]"))
    return revive(family, fields, path, mistakes)


def find_builder(name: Any, folder: Path) -> Path:
    """The file models/NAME.py of a builder: beside the experiment's folder, in it, or in the working folder."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ExperimentError(f"a model's type is the name of a file in models/, such as char_lstm, got {name!r}")
    places = [place / "models" for place in (folder.parent, folder, Path.cwd())]
    for place in places:
        if (place / f"{name}.py").is_file():
            return place / f"{name}.py"
    known = sorted({path.stem for place in places for path in place.glob("*.py")})
    looked = ", ".join(dict.fromkeys(str(place) for place in places))
    raise ExperimentError(
        f"there is no model {name!r}{suggest(name, known)}: no {name}.py in {looked}"
        f"{' (there are: ' + ', '.join(known) + ')' if known else ''}; a chain of layers is written as layers: [...]"
    )


def load_builder(path: Path) -> Builder:
    """The function `build` of a model file."""
    spec = importlib.util.spec_from_file_location(f"models.{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build = getattr(module, "build", None)
    if not callable(build):
        raise ExperimentError(f"{path} defines no function `build`")
    builder: Builder = build
    return builder


def builder_arguments(
    build: Builder, given: Mapping[str, Any], inputs: Mapping[str, Symbol], facts: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Finding]]:
    """What to call a builder with, by the names of its parameters: inputs and facts of the data, and what the file says."""
    parameters, hints = inspect.signature(build).parameters, typing.get_type_hints(build)
    offered = {**facts, **inputs, **given}
    mistakes = [
        Finding((name,), f"{build.__name__} of the model takes no {name!r}{suggest(name, parameters)}")
        for name in given
        if name not in parameters
    ]
    for name, parameter in parameters.items():
        if name not in offered and parameter.default is inspect.Parameter.empty:
            mistakes.append(Finding((), f"the model needs a value for {name!r}"))
        elif name in given and not _fits(given[name], hints.get(name)):
            expected = getattr(hints[name], "__name__", hints[name])
            mistakes.append(Finding((name,), f"{name!r} should be {expected}, got {given[name]!r}"))
    return {name: offered[name] for name in parameters if name in offered}, mistakes


def _fits(value: Any, hint: Any) -> bool:
    from pydantic import TypeAdapter, ValidationError

    if hint is None:
        return True
    try:
        TypeAdapter(hint).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
