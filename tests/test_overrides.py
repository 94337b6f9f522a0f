"""Overrides on the command line, and references within a file: what they do, and every refusal with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.experiment.yaml.document import dump, parse
from minidl.experiment.yaml.overrides import apply
from minidl.experiment.yaml.references import escape, references, resolve
from minidl.experiment.yaml.source_positions import Document
from minidl.system.errors import ExperimentError

TEXT = """\
name: demo
model:
  layers:
    - {type: OneHot}
    - {type: LSTM, units: 128}
optimizer:
  type: Adam
  lr: {type: cosine, peak: 4e-3}
train:
log: {every: []}
"""


def changed(*changes: str) -> Document:
    document = parse(TEXT, "f.yaml")
    apply(document, changes)
    return document


def refusal(*changes: str) -> str:
    with pytest.raises(ExperimentError) as caught:
        changed(*changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1e-3", 1e-3), ("017", 17), ("no", "no"), ("true", True), ("1:30", "1:30"), ("2024-01-01",) * 2, ("~", None),
        ("", None), ("'7'", "7"), ('"a b"', "a b"), ("a b", "a b"), ("a=b", "a=b"), ("${data.size}",) * 2,
        ("[1, 1e-3, no]", [1, 1e-3, "no"]), ("{type: SGD, lr: 0.1}", {"type": "SGD", "lr": 0.1}), ("{}", {}),
        ("0.9, 0.1", "0.9, 0.1"), ("é", "é"),
    ],
)  # fmt: skip
def test_values_are_read_like_those_of_the_file(value: str, expected: Any) -> None:
    for key in ("name", "new.key", "model.layers.1.units"):
        read = changed(f"{key}={value}").tree
        for step in key.split("."):
            read = read[int(step)] if isinstance(read, list) else read[step]
        assert repr(read) == repr(expected)


def test_overrides_reach_into_lists_replace_mappings_and_follow_one_another() -> None:
    tree = changed(
        "model.layers.1.units=256", "optimizer={type: SGD, lr: 0.1}", "optimizer.lr=0.2", "optimizer.momentum=0.9"
    ).tree
    assert tree["model"]["layers"] == [{"type": "OneHot"}, {"type": "LSTM", "units": 256}]
    assert tree["optimizer"] == {"type": "SGD", "lr": 0.2, "momentum": 0.9}
    assert list(tree) == ["name", "model", "optimizer", "train", "log"]


def test_an_interval_in_other_units_takes_the_place_of_the_one_that_there_is() -> None:
    document = changed("train.evaluate_every={epochs: 1}", "train.evaluate_every.steps=10", "train.epochs=2")
    assert document.tree["train"] == {"evaluate_every": {"steps": 10}, "epochs": 2}
    assert ("train", "evaluate_every", "epochs") not in document.marks


def test_an_item_of_a_list_can_be_replaced() -> None:
    assert changed("model.layers.0={type: Embedding}").tree["model"]["layers"][0] == {"type": "Embedding"}


def test_missing_and_empty_mappings_are_made() -> None:
    assert changed("train.epochs=1").tree["train"] == {"epochs": 1}
    assert changed("a.b.c=1", "a.b.d=2").tree["a"] == {"b": {"c": 1, "d": 2}}
    assert changed("x=[null]", "x.0.y=1").tree["x"] == [{"y": 1}]


def test_no_override_changes_nothing() -> None:
    assert changed() == parse(TEXT, "f.yaml")


def test_marks_of_new_values_are_those_of_the_command_line() -> None:
    document = changed("name=x", " optimizer.lr={type: step, at: [1, 2]}", "new.key=1")
    text = " optimizer.lr={type: step, at: [1, 2]}"
    given = {path: mark for path, mark in document.marks.items() if mark.source == "command line"}
    assert {path: (mark.line, mark.column) for path, mark in given.items()} == {
        ("name",): (1, 1),
        ("optimizer", "lr"): (2, 12),
        ("optimizer", "lr", "type"): (2, 16),
        ("optimizer", "lr", "at"): (2, 28),
        ("optimizer", "lr", "at", 0): (2, 33),
        ("optimizer", "lr", "at", 1): (2, 36),
        ("new",): (3, 1),
        ("new", "key"): (3, 5),
    }
    assert {mark.text for mark in given.values() if mark.line == 2} == {text}
    assert ("optimizer", "lr", "peak") not in document.marks
    assert str(document.mark(("optimizer", "type"))) == "f.yaml:7:3"


REFUSED = [
    ("optimizer.lr", 1, "a change is written key=value, such as optimizer.lr=VALUE"),
    ("optimizer.lr:1e-3", 1, "such as optimizer.lr=1e-3"),
    ("optimizer.lr 1e-3", 1, "such as optimizer.lr=1e-3"),
    ("", 1, "such as optimizer.lr=1e-3"),
    ("=3", 1, "a name is missing before '='"),
    (" =3", 1, "a name is missing before '='"),
    ("a..b=3", 1, "a name is missing before '='"),
    ("a.=3", 1, "a name is missing before '='"),
    (".a=3", 1, "a name is missing before '='"),
    ("model.layers.2.units=1", 14, "model.layers is a list of length 2, indices are 0 to 1: got '2'"),
    ("model.layers.-1.units=1", 14, "indices are 0 to 1: got '-1'"),
    ("model.layers.units=1", 14, "indices are 0 to 1: got 'units'"),
    ("model.layers.2=1", 14, "indices are 0 to 1: got '2'"),
    ("model.layers.01=1", 14, "indices are 0 to 1: got '01'"),
    ("model.layers.\u0661=1", 14, "indices are 0 to 1: got '\u0661'"),
    ("log.every.0=1", 11, "log.every is a list of length 0, it has no items: got '0'"),
    ("name.x=1", 6, "name is 'fine', not a mapping: to make it one, write name={x: VALUE}"),
    ("name.x.y=1", 6, "name is 'fine', not a mapping"),
    ("a=[1, 2", 3, "this bracket is never closed"),
    ("a={b: 1, b: 2}", 10, "the key 'b' is given twice"),
    ("a=!!python/name:os.system", 3, "tags are not allowed"),
    ("a={1: 2}", 4, "a key is a text"),
    ("a=@x", 3, "text that begins with '@' needs quotes"),
    ("a=" + "[" * 2000, 53, "more than 50 levels"),
    (".".join("a" * 50) + "=1", 1, "more than 50 levels"),
    ("a.b=" + "[" * 49 + "]" * 49, 1, "more than 50 levels"),
]


@pytest.mark.parametrize(("change", "column", "message"), REFUSED)
def test_refusals_name_the_override_and_the_column(change: str, column: int, message: str) -> None:
    head, *excerpt = refusal("name=fine", change).split("\n")
    assert head.startswith(f"command line:2:{column}: ")
    assert message in head
    if change.strip() and len(change) <= 100:
        assert excerpt == [change, " " * (column - 1) + "^"]


def test_levels_are_allowed_up_to_their_limit() -> None:
    document = changed("a.b=" + "[" * 48 + "]" * 48)
    assert max(map(len, document.marks)) == 49
    assert resolve(document, {}) == document.tree == parse(dump(document.tree), "f.yaml").tree


def test_all_overrides_that_cannot_be_done_are_reported_together() -> None:
    heads = [line for line in refusal("a", "name=x", "b=[", "name.x=1", "=").split("\n") if line.startswith("command")]
    assert [head.split(": ")[0] for head in heads] == [
        "command line:1:1", "command line:3:3", "command line:4:6", "command line:5:1",
    ]  # fmt: skip


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
FRAGMENTS = [
    "a",
    ".",
    "=",
    "0",
    "model",
    "layers",
    "[",
    "]",
    "{",
    "}",
    ": ",
    ",",
    "&x ",
    "*x",
    "!",
    "'",
    '"',
    "\n",
    "- ",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join), max_size=3))
def test_any_override_is_carried_out_or_refused(changes: list[str]) -> None:
    document = parse(TEXT, "f.yaml")
    try:
        apply(document, changes)
    except ExperimentError as refused:
        message = str(refused)
    else:
        assert parse(dump(document.tree), "f.yaml").tree == document.tree
        return
    assert message.startswith("command line:")


def resolved(text: str, **facts: Any) -> dict[str, Any]:
    return resolve(parse(text, "f.yaml"), {name.replace("__", "."): value for name, value in facts.items()})


def broken(text: str, **facts: Any) -> str:
    with pytest.raises(ExperimentError) as caught:
        resolved(text, **facts)
    return str(caught.value)


@pytest.mark.parametrize("value", ["7", "1e-3", "true", "null", "no", "[1, [2]]", "{b: {c: 1}}", "''", '"7"'])
def test_a_reference_alone_keeps_the_type(value: str) -> None:
    tree = resolved(f"a: {value}\nb: ${{a}}\nc: [{{d: '${{a}}'}}]\n")
    assert repr(tree["b"]) == repr(tree["a"])
    assert repr(tree["c"]) == repr([{"d": tree["a"]}])


@pytest.mark.parametrize(
    ("value", "text"),
    [("7", "7"), ("1e-3", "0.001"), ("true", "true"), ("null", "null"), ("no", "no"), ("[1, é]", '[1, "é"]')],
)
def test_within_a_text_a_reference_becomes_text(value: str, text: str) -> None:
    assert resolved(f"a: {value}\nb: x_${{a}}-${{ a }}")["b"] == f"x_{text}-{text}"


def test_facts_come_before_the_file() -> None:
    tree = resolved("data: {size: 1, kind: x}\na: ${data.size}\nb: ${data.kind}\nc: n=${data.size}", data__size=77)
    assert tree == {"data": {"size": 1, "kind": "x"}, "a": 77, "b": "x", "c": "n=77"}


def test_a_fact_is_not_looked_into_for_references() -> None:
    assert resolved("a: ${data.name}\nb: x${data.name}", data__name="${nothing}") == {
        "a": "${nothing}",
        "b": "x${nothing}",
    }


def test_references_go_into_lists_and_through_other_references() -> None:
    text = """
layers: [{units: 3}, {units: "${layers.0.units}"}]
last: ${layers.1}
n: ${last.units}
m: ${alias.units}
alias: ${last}
"""
    tree = resolved(text)
    assert tree["layers"][1] == tree["last"] == tree["alias"] == {"units": 3}
    assert (tree["n"], tree["m"]) == (3, 3)


def test_what_a_reference_copies_is_a_copy() -> None:
    tree = resolved("a: [1]\nb: ${a}\nc: ${data.list}", data__list=(facts := [2]))
    tree["b"].append(3)
    tree["c"].append(3)
    assert tree["a"] == [1]
    assert facts == [2]


def test_the_document_stays_as_it_was() -> None:
    document = parse("a: [1]\nb: ${a}\nc: $${a}", "f.yaml")
    resolve(document, {})
    assert document.tree == {"a": [1], "b": "${a}", "c": "$${a}"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("$${a}", "${a}"), ("x $${a} ${a}", "x ${a} 1"), ("$$${a}", "$${a}"), ("$a {a} $ {a} a}", "$a {a} $ {a} a}"),
     ("$${", "${"), ("cost: 5$", "cost: 5$")],
)  # fmt: skip
def test_two_signs_escape_a_reference(text: str, value: str) -> None:
    document = parse(dump({"a": 1, "b": text}), "f.yaml")
    assert resolve(document, {})["b"] == value


BROKEN = [
    ("a: ${b}\n", 1, 1, "${b} refers to nothing in this file or its data"),
    ("model:\n  - {units: '${data.vocab_siz}'}\n", 2, 6, "did you mean 'data.vocab_size'?"),
    ("train: {epochs: 3}\nb:\n  c: x ${train.epoch}\n", 3, 3, "did you mean 'train.epochs'?"),
    ("a: [1, 2]\nb: ${a.2}\n", 2, 1, "${a.2} refers to nothing"),
    ("a: [1, 2]\nb: ${a.-1}\n", 2, 1, "${a.-1} refers to nothing"),
    ("a: 5\nb: ${a.c}\n", 2, 1, "${a.c} refers to nothing"),
    ("a: text\nb: ${a.c}\n", 2, 1, "${a.c} refers to nothing"),
    ("a: ${}\n", 1, 1, "${} refers to nothing"),
    ("a: x ${b\n", 1, 1, "this '${' has no '}'"),
    ("b: 1\na: x ${${b}}\n", 2, 1, "this '${' has no '}'"),
    ("a: ${a}\n", 1, 1, "references go in a circle: a -> a"),
    ("a: x${a}\n", 1, 1, "references go in a circle: a -> a"),
    ("a: ${b}\nb: ${c}\nc: ${a}\n", 3, 1, "references go in a circle: a -> b -> c -> a"),
    ("a: {b: '${a}'}\n", 1, 5, "references go in a circle: a -> a.b -> a"),
    ("a: ${b.c}\nb: ${a}\n", 2, 1, "references go in a circle: a -> b -> a"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), BROKEN)
def test_references_that_lead_nowhere_are_refused(text: str, line: int, column: int, message: str) -> None:
    lines = broken(text, data__vocab_size=77).split("\n")
    head, shown, caret = lines[:3]
    assert head.startswith(f"f.yaml:{line}:{column}: ")
    assert message in head
    assert shown == text.split("\n")[line - 1]
    assert caret == " " * (column - 1) + "^"


def test_all_broken_references_are_reported_together() -> None:
    message = broken("a: ${x}\nb: [ok, 'y ${y} ${z}']\nc: ${c}\nd: ${fine}\nfine: 1\n")
    assert [line.split(": ")[0] for line in message.split("\n")[::3]] == [
        "f.yaml:1:1", "f.yaml:2:9", "f.yaml:2:9", "f.yaml:3:1",
    ]  # fmt: skip


def test_a_broken_reference_from_the_command_line_is_shown_there() -> None:
    document = parse(TEXT, "f.yaml")
    apply(document, ["train.epochs=${train.epoch}"])
    with pytest.raises(ExperimentError, match=r"^command line:1:7: \$\{train.epoch\} refers to nothing.*train.epochs"):
        resolve(document, {})


def test_overrides_are_seen_by_references() -> None:
    document = parse("units: 1\nout: ${units}", "f.yaml")
    apply(document, ["units=5"])
    assert resolve(document, {})["out"] == 5


def tower(bottom: str, floor: str, height: int) -> str:
    """k0 is the bottom; each further key is the floor, with BELOW a reference to the key above it in the file."""
    floors = [f"k{i + 1}: {floor}\n".replace("BELOW", f"${{k{i}}}") for i in range(height)]
    return f"k0: {bottom}\n" + "".join(floors)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n".join(reversed(tower("1", "BELOW", 2000).splitlines())), "references more than 60 times"),
        (tower("[1, 1, 1]", str(["BELOW"] * 9), 9), "more than 50,000 values"),
        (tower("0123456789", "BELOW" * 9, 20), "more than 50,000 values"),
        (tower("[]", "[[['BELOW']]]", 20), "more than 50 levels"),
    ],
)
def test_references_cannot_be_made_to_explode(text: str, message: str) -> None:
    assert message in broken(text)


def test_a_file_of_broken_references_is_refused_soon() -> None:
    known = "".join(f"known{i}: 1\n" for i in range(1000))
    message = broken(known + "".join(f"x{i}: ${{unknown{i}}}\n" for i in range(1000)))
    assert message.count("refers to nothing") == 20


def test_a_long_chain_in_order_is_resolved() -> None:
    assert resolved(tower("1", "BELOW", 500))["k500"] == 1


def test_references_lists_the_names_used() -> None:
    document = parse("a: ${data.size}\nb: ['x${ c.0 }${data.size}', '$${no}', '${']\nc: {'${key}': 1}", "f.yaml")
    assert references(document) == {"data.size", "c.0"}


TREES = st.dictionaries(
    st.text("ab$", min_size=1, max_size=3),
    st.recursive(
        SCALARS | st.text("ab${}.", max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_an_escaped_tree_resolves_to_itself(tree: dict[str, Any]) -> None:
    document = parse(dump(escape(tree)), "f.yaml")
    assert references(document) == set()
    assert repr(resolve(document, {})) == repr(tree)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_any_references_are_resolved_or_refused(tree: dict[str, Any]) -> None:
    document = parse(dump(tree), "f.yaml")
    try:
        value = resolve(document, {"a.b": 1})
    except ExperimentError as refused:
        message = str(refused)
    else:
        assert list(value) == list(tree)
        return
    assert message.startswith("f.yaml:")
