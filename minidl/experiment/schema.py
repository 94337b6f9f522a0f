"""The JSON Schema of experiment files, made from the declarations, by which editors complete and check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minidl.callbacks.base import Every
from minidl.data import Data
from minidl.declared import Declared
from minidl.experiment.sections import Log, Patience, Samples, Train
from minidl.layer import Layer
from minidl.layers.recurrent import Recurrent
from minidl.optim import Optimizer
from minidl.schedules import Schedule
from minidl.validation import first_line, rules

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = {"type": "string", "pattern": r"\$\{.+\}", "description": "a reference to another value of the file"}
BASES: tuple[type[Declared], ...] = (
    Layer, Recurrent, Optimizer, Schedule, Data, Every, Patience, Train, Log, Samples,
)  # fmt: skip
NODE_INPUTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def experiment_schema() -> dict[str, Any]:
    """The schema, as plain data for `json.dump`."""
    text = {"type": "string"}
    layers = {"type": "array", "items": {"$ref": "#/$defs/Layer"}, "minItems": 1}
    chain = {"type": "object", "properties": {"layers": layers}, "required": ["layers"], "additionalProperties": False}
    builder = {"type": "object", "properties": {"type": text}, "required": ["type"]}
    return {
        "$schema": DIALECT,
        "title": "minidl experiment",
        "type": "object",
        "properties": {
            "extends": {**text, "description": "an experiment file whose values hold where this one says nothing"},
            "name": {**text, "description": "runs lie in runs/NAME; the file's name where it is not given"},
            "seed": {"type": "integer", "minimum": 0, "description": "of first weights, dropout, order and samples"},
            "dtype": {"enum": ["float32", "float64"]},
            "data": {"$ref": "#/$defs/Data"},
            "model": {"anyOf": [chain, builder]},
            "loss": {"$ref": "#/$defs/Layer"},
            "optimizer": {"$ref": "#/$defs/Optimizer"},
            "train": {"$ref": "#/$defs/Train"},
            "log": {"$ref": "#/$defs/Log"},
            "sample": {"$ref": "#/$defs/Samples"},
        },
        "required": ["data", "model", "loss"],
        "additionalProperties": False,
        "$defs": dict(_definitions()),
    }


def _definitions() -> Iterator[tuple[str, Any]]:
    for base in BASES:
        if not base.abstract:
            yield base.__name__, _declaration(base)
            continue
        types = base.types()
        yield base.__name__, {"oneOf": [{"$ref": f"#/$defs/{base.__name__}.{name}"} for name in types]}
        for name, cls in types.items():
            yield f"{base.__name__}.{name}", _declaration(cls)


def _declaration(cls: Any) -> dict[str, Any]:
    schema = _with_references(rules(cls).model_json_schema())
    properties = {
        name: {"anyOf": [value, REFERENCE], **_kept(value)} if name != "type" else value
        for name, value in schema["properties"].items()
    }
    required = schema.get("required", [])
    if issubclass(cls, Layer):
        properties["inputs"] = {**NODE_INPUTS, "description": "what feeds it; the node above where it is not given"}
    if len(cls.registry) > 1:
        required = ["type", *required]
    else:
        properties.pop("type")
    return {
        "title": cls.type_name(),
        "description": first_line(cls),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _with_references(schema: Any) -> Any:
    if isinstance(schema, dict):
        if set(schema) == {"declared"}:
            return {"$ref": f"#/$defs/{schema['declared']}"}
        return {key: _with_references(value) for key, value in schema.items()}
    return [_with_references(item) for item in schema] if isinstance(schema, list) else schema


def _kept(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in ("default", "description") if key in value}
