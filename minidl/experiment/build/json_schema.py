"""The JSON Schema of experiment files, made from the declarations, by which editors complete and check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from minidl.config.declared import Declared
from minidl.config.rules import field_notes, first_line, nested_families, rules
from minidl.experiment.build.sections import NAME, Header
from minidl.experiment.build.spec import REQUIRED, SECTIONS
from minidl.graph.layer import Layer
from minidl.training.callback import Every

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = {"type": "string", "pattern": r"^\$\{[^{}]+\}$"}  # to another value of the file, or a fact of the data
TEXT = {"type": "string"}
WORDS = {"None": "null", "True": "true", "False": "false"}
NODE_INPUTS = {
    "anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}, {"type": "object", "additionalProperties": TEXT}],
    "description": "what feeds it: names of nodes, or names by input of the layer; the node above if not given",
}


def experiment_schema() -> dict[str, Any]:
    """The schema, as plain data for `json.dump`."""
    families: dict[str, type[Declared]] = {"loss": Layer, **SECTIONS}
    return {
        "$schema": DIALECT,
        "title": "minidl experiment",
        "type": "object",
        "properties": {
            "extends": {**TEXT, "description": "an experiment file whose values hold where this one says nothing"},
            **_properties(Header),
            "model": _model(),
            **{name: {"$ref": f"#/$defs/{family.__name__}"} for name, family in families.items()},
        },
        "anyOf": [{"required": list(REQUIRED)}, {"required": ["extends"]}],
        "additionalProperties": False,
        "$defs": dict(_definitions(families.values())),
    }


def _model() -> dict[str, Any]:
    layers = {"type": "array", "items": {"$ref": "#/$defs/Layer"}, "minItems": 1}
    chain = {"type": "object", "properties": {"layers": layers}, "required": ["layers"], "additionalProperties": False}
    name = {**TEXT, "description": "a file in models/, whose function build is called with the other names"}
    builder = {"type": "object", "properties": {"type": name, "layers": False}, "required": ["type"]}
    return {"anyOf": [chain, builder], "description": "the network: a list of layers, or a model file"}


def _definitions(families: Iterable[type[Declared]]) -> Iterator[tuple[str, Any]]:
    for family in _with_nested(families):
        name = family.__name__
        if not family.abstract:
            properties = _properties(family)
            one_only = {"anyOf": [_alone(interval, properties) for interval in properties]} if family is Every else {}
            yield name, {**_definition(family, [], properties), **one_only}
            continue
        yield name, _choice(name, list(family.types()))
        inputs = {"inputs": NODE_INPUTS} if family is Layer else {}
        for kind, cls in family.types().items():
            properties = {"type": {"const": kind, "description": first_line(cls)}, **_properties(cls), **inputs}
            yield f"{name}.{kind}", _definition(cls, ["type"], properties)


def _alone(name: str, properties: Iterable[str]) -> dict[str, Any]:
    """A mapping in which this property has a value, and the others have none."""
    others = {other: {"type": "null"} for other in properties if other != name}
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}, **others}}


def _choice(family: str, kinds: list[str]) -> dict[str, Any]:
    """Kinds told apart by `type`: an editor completes and checks by the one that is named, not by all of them."""
    named = [
        {
            "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
            "then": {"$ref": f"#/$defs/{family}.{kind}"},
        }
        for kind in kinds
    ]
    return {"type": "object", "properties": {"type": {"enum": kinds}}, "required": ["type"], "allOf": named}


def _with_nested(families: Iterable[type[Declared]]) -> list[type[Declared]]:
    """The families, and all that their fields hold."""
    found: dict[Any, None] = {}
    waiting: list[Any] = list(families)
    while waiting:
        family = waiting.pop(0)
        if family not in found:
            found[family] = None
            waiting += [nested for cls in family.types().values() for nested in nested_families(cls).values()]
    return list(found)


def _definition(cls: Any, required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": cls.type_name(),
        "description": in_yaml(first_line(cls)),
        "type": "object",
        "properties": properties,
        "required": [*required, *(name for name, field in rules(cls).model_fields.items() if field.is_required())],
        "additionalProperties": False,
    }


def _properties(cls: Any) -> dict[str, Any]:
    """The fields of a declaration; a reference may stand for any value."""
    schema = _with_references(rules(cls).model_json_schema())["properties"]
    schema.pop("type")
    properties, notes = {}, field_notes(cls)
    for name, value in schema.items():
        about = {"default": value.pop("default")} if "default" in value else {}
        value.pop("title", None)
        if name in notes:
            about["description"] = in_yaml(notes[name])
        if name == "source":
            value = _with_downloads(value)
        if name == "name" and issubclass(cls, Layer):
            value = {"anyOf": [{"type": "string", "pattern": NAME}, {"type": "null"}]}
        properties[name] = {"anyOf": [value, REFERENCE], **about}
    return properties


def in_yaml(text: str) -> str:
    """What a docstring says in Python's words, in those of YAML.

    >>> in_yaml("None for all; False for none")
    'null for all; false for none'
    """
    return re.sub(r"\b(None|True|False)\b", lambda word: WORDS[word.group()], text)


def _with_downloads(schema: Any) -> Any:
    """A mapping as a source is a download, which has an address and a hash."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            return {**schema, "required": ["url", "sha256"], "minProperties": 2, "maxProperties": 2}
        return {key: _with_downloads(value) for key, value in schema.items()}
    return [_with_downloads(item) for item in schema] if isinstance(schema, list) else schema


def _with_references(schema: Any) -> Any:
    """Nested declarations as references to their definitions."""
    if isinstance(schema, dict):
        if "declared" in schema:
            about = {key: value for key, value in schema.items() if key != "declared"}
            return {"$ref": f"#/$defs/{schema['declared']}", **about}
        return {key: _with_references(value) for key, value in schema.items()}
    return [_with_references(item) for item in schema] if isinstance(schema, list) else schema
