"""The JSON Schema of experiments: it accepts what the reader accepts, refuses what it refuses, and is up to date."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from random_experiments import EXPERIMENTS, misspell

from minidl.experiment.build.json_schema import experiment_schema
from minidl.experiment.yaml.document import parse

ROOT = Path(__file__).parent.parent
SCHEMA = experiment_schema()
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def fits(value: Any, schema: Any) -> bool:
    """Whether a value is as a schema says: the part of JSON Schema 2020-12 that ours needs."""
    if isinstance(schema, bool):
        return schema
    return all(KEYWORDS[keyword](value, expected, schema) for keyword, expected in schema.items())


def of_type(value: Any, name: str, schema: Any) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def number(check: Any) -> Any:
    return lambda value, limit, schema: not isinstance(value, (int, float)) or check(value, limit)


def names_fit(value: Any, properties: dict[str, Any], schema: Any) -> bool:
    return not isinstance(value, dict) or all(fits(item, properties.get(name, True)) for name, item in value.items())


def others_fit(value: Any, other: Any, schema: Any) -> bool:
    if not isinstance(value, dict):
        return True
    return all(fits(item, other) for name, item in value.items() if name not in schema.get("properties", {}))


def items_fit(value: Any, item: Any, schema: Any) -> bool:
    return not isinstance(value, list) or all(fits(each, item) for each in value[len(schema.get("prefixItems", [])) :])


KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(["$schema", "$defs", "title", "description", "default"], lambda *_: True),
    "$ref": lambda value, name, schema: fits(value, SCHEMA["$defs"][name.removeprefix("#/$defs/")]),
    "type": of_type,
    "const": lambda value, constant, schema: value == constant,
    "enum": lambda value, choices, schema: value in choices,
    "anyOf": lambda value, branches, schema: any(fits(value, branch) for branch in branches),
    "not": lambda value, branch, schema: not fits(value, branch),
    "allOf": lambda value, branches, schema: all(fits(value, branch) for branch in branches),
    "if": lambda value, condition, schema: not fits(value, condition) or fits(value, schema["then"]),
    "then": lambda *_: True,  # judged with its "if"
    "minimum": number(lambda value, limit: value >= limit),
    "maximum": number(lambda value, limit: value <= limit),
    "exclusiveMinimum": number(lambda value, limit: value > limit),
    "exclusiveMaximum": number(lambda value, limit: value < limit),
    "pattern": lambda value, pattern, schema: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minItems": lambda value, least, schema: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most, schema: not isinstance(value, list) or len(value) <= most,
    "minProperties": lambda value, least, schema: not isinstance(value, dict) or len(value) >= least,
    "maxProperties": lambda value, most, schema: not isinstance(value, dict) or len(value) <= most,
    "prefixItems": lambda value, items, schema: not isinstance(value, list) or all(map(fits, value, items)),
    "items": items_fit,
    "properties": names_fit,
    "additionalProperties": others_fit,
    "required": lambda value, names, schema: not isinstance(value, dict) or set(names) <= set(value),
}


def shipped() -> list[Path]:
    return sorted((ROOT / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_a_shipped_experiment_fits_and_names_the_schema_first(path: Path) -> None:
    text = path.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=schema.json"
    assert fits(parse(text, str(path)).tree, SCHEMA)


def test_the_shipped_schema_is_that_of_the_declarations(tmp_path: Path) -> None:
    """In a process of its own, without the layers that other tests declare."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "minidl", "schema", "--out", str(tmp_path / "schema.json")]
    subprocess.run(command, env=environment, check=True)
    written = (tmp_path / "schema.json").read_text()
    shipped = (ROOT / "experiments/schema.json").read_text()
    assert written == shipped, "run: minidl schema --out experiments/schema.json"
    assert json.loads(written)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_reference_within_the_schema_leads_somewhere() -> None:
    found = re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(SCHEMA))
    assert set(found) <= set(SCHEMA["$defs"])
    assert {"Layer.LSTM", "Schedule.cosine", "Data.text", "Every"} <= set(SCHEMA["$defs"])


def test_names_are_explained_where_an_editor_shows_them() -> None:
    properties = SCHEMA["$defs"]["Optimizer.Adam"]["properties"]
    assert properties["lr"]["description"] == "learning rate"
    assert properties["lr"]["default"] == 1e-3
    assert SCHEMA["$defs"]["Layer.LSTM"]["description"] == "Long short-term memory."


@pytest.mark.parametrize("family", ["Layer", "Cell", "Optimizer", "Schedule", "Data", "Task"])
def test_an_editor_is_led_to_the_one_kind_that_is_named(family: str) -> None:
    """It completes by the branches that apply; of `oneOf` by those that fit already, which lack nothing."""
    schema = SCHEMA["$defs"][family]
    kinds = [name.removeprefix(f"{family}.") for name in SCHEMA["$defs"] if name.startswith(f"{family}.")]
    assert schema["properties"]["type"]["enum"] == kinds
    for kind in kinds:
        value = {"type": kind}
        applying = [branch["then"]["$ref"] for branch in schema["allOf"] if fits(value, branch["if"])]
        assert applying == [f"#/$defs/{family}.{kind}"]
    assert not any(fits({}, branch["if"]) for branch in schema["allOf"])


@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(tree=EXPERIMENTS)
def test_what_the_reader_accepts_fits(tree: dict[str, Any]) -> None:
    assert fits(tree, SCHEMA)
    name = sorted(tree)[0]
    wrong = {**tree, misspell(name): tree[name]}
    assert not fits(wrong, SCHEMA)


SOUND = parse((Path(__file__).parent / "spoiled/text.yaml").read_text(), "text.yaml").tree


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", -1), ("seed", "one"), ("seed", 1.5), ("seed", True), ("name", "a/b"), ("dtype", "float16"),
        ("data.type", "txt"), ("data.batch_size", 0), ("data.tokens", "chars"), ("data.split", [0.5, 0.5]),
        ("data.soruce", "x"), ("model.layers", []), ("model.layers.0", "LSTM"), ("model.layers.0.unit", 3),
        ("model.layers.1.dropout", 1), ("model.layers.1.type", "LTSM"), ("model.layers.3.inputs", 5),
        ("model.layers.2.layer", {"type": "Dense", "units": 3}), ("model.layers.2.layer", "GRU"),
        ("loss", {"reduction": "mean"}), ("loss.reduction", "men"), ("optimizer.type", "adam"),
        ("optimizer.lr", {"type": "cosine"}), ("optimizer.lr", "fast"), ("optimizer.betas", [0.9]), ("train.epoch", 2),
        ("train.evaluate_every", {"epoch": 1}), ("train.early_stop", True), ("log.tensorboard", "no"),
        ("sample.length", 0),
    ],
)  # fmt: skip
def test_what_the_reader_refuses_does_not_fit(path: str, value: Any) -> None:
    tree = copy.deepcopy(SOUND)
    place: Any = tree
    *steps, last = (int(step) if step.isdecimal() else step for step in path.split("."))
    for step in steps:
        place = place[step]
    assert fits(tree, SCHEMA)
    place[last] = value
    assert not fits(tree, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "${train.steps}"},
        {"model": {"type": "net", "units": 3, "anything": [1]}},
        {
            "optimizer": {
                "type": "SGD",
                "lr": {"type": "warmup", "steps": 3, "then": {"type": "constant", "initial": 1}},
            }
        },
        {"train": {"early_stop": None, "steps": 3}},
    ],
)
def test_references_builders_and_nested_schedules_fit(change: dict[str, Any]) -> None:
    assert fits({**SOUND, **change}, SCHEMA)


def test_a_file_that_extends_another_need_not_say_everything() -> None:
    assert fits({"extends": "base.yaml", "seed": 3}, SCHEMA)
    assert not fits({"seed": 3}, SCHEMA)
