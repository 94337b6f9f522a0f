"""Experiment files: what YAML means here, where each value stands, and every refusal with its line and column."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.experiment.yaml.document import dump, load, parse
from minidl.experiment.yaml.loader import read
from minidl.experiment.yaml.source_positions import Document, Mark, Mistake, locator, report
from minidl.system.errors import ExperimentError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{below}'] * 9)}]\n" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def refusal(text: str) -> str:
    with pytest.raises(ExperimentError) as caught:
        parse(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("1E+2", 100.0), ("4e22", 4e22), ("1.", 1.0), (".5", 0.5), ("-0.0", -0.0), ("+1.5", 1.5),
        (".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf),
        ("0", 0), ("017", 17), ("0o17", 15), ("0xfF", 255), ("-3", -3), ("+3", 3),
        ("true", True), ("True", True), ("FALSE", False),
        ("null", None), ("~", None), ("", None), ("NULL", None),
        ("no", "no"), ("on", "on"), ("off", "off"), ("yes", "yes"), ("y", "y"), ("nUll", "nUll"), ("tRUE", "tRUE"),
        ("1:30", "1:30"), ("190:20:30", "190:20:30"), ("2024-01-01", "2024-01-01"), ("2024-01-01 10:00:00",) * 2,
        ("1_000", "1_000"), ("0b11", "0b11"), ("0o18", "0o18"), ("-0x1", "-0x1"), ("1e", "1e"), (".", "."),
        ("inf", "inf"), ("nan", "nan"), ("=", "="), ("<<", "<<"), ("'1e-3'", "1e-3"), ('"true"', "true"), ('""', ""),
        ('"\\ud83d\\ude00"', "\U0001f600"), ("1\u0663", "1\u0663"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    read = parse(f"a: {text}", "f.yaml").tree["a"]
    assert read == value
    assert type(read) is type(value)
    assert math.copysign(1, read or 1.0) == math.copysign(1, value or 1.0) if isinstance(value, float) else True


def test_nan_is_a_float() -> None:
    assert math.isnan(parse("a: .nan", "f.yaml").tree["a"])


def test_keys_that_yaml_1_1_takes_for_booleans_and_dates_are_text() -> None:
    assert parse("on: 1\nno: 2\n2024-01-01: 3\n1:30: 4\n", "f.yaml").tree == {
        "on": 1, "no": 2, "2024-01-01": 3, "1:30": 4,
    }  # fmt: skip


MARKED = """\
# a comment
name: demo
model:
  layers:
    - {type: OneHot}
    - type: LSTM
      units: 128
  sizes: [3,
    4]
"""


def test_marks_are_those_of_keys_and_of_items() -> None:
    document = parse(MARKED, "run.yaml")
    places = {path: (mark.line, mark.column) for path, mark in document.marks.items()}
    assert places == {
        (): (2, 1),
        ("name",): (2, 1),
        ("model",): (3, 1),
        ("model", "layers"): (4, 3),
        ("model", "layers", 0): (5, 7),
        ("model", "layers", 0, "type"): (5, 8),
        ("model", "layers", 1): (6, 7),
        ("model", "layers", 1, "type"): (6, 7),
        ("model", "layers", 1, "units"): (7, 7),
        ("model", "sizes"): (8, 3),
        ("model", "sizes", 0): (8, 11),
        ("model", "sizes", 1): (9, 5),
    }
    assert document.marks["model", "layers", 1, "units"] == Mark("run.yaml", 7, 7, "      units: 128")


def test_mark_of_an_unknown_path_is_the_nearest_around_it() -> None:
    document = parse(MARKED, "run.yaml")
    assert str(document.mark(("model", "layers", 1, "units", "deep", 3))) == "run.yaml:7:7"
    assert str(document.mark(("model", "layers", 9))) == "run.yaml:4:3"
    assert str(document.mark(("nothing",))) == "run.yaml:2:1"


def test_report_sorts_by_position_and_shows_each_line_once() -> None:
    document = parse(MARKED, "run.yaml")
    late = Mistake(document.mark(("model", "sizes")), "late")
    early = Mistake(document.mark(("name",)), "early")
    assert report([late, early, late, Mistake(None, "nowhere")]) == (
        "nowhere\nrun.yaml:2:1: early\nname: demo\n^\nrun.yaml:8:3: late\n  sizes: [3,\n  ^"
    )


def test_caret_stands_below_the_column_behind_tabs_and_in_long_lines() -> None:
    tabbed = Mark("f.yaml", 1, 4, "a:\tb")
    assert tabbed.excerpt() == "a:\tb\n  \t^"
    line = "x" * 5000 + "HERE" + "x" * 5000
    shown, caret = Mark("f.yaml", 1, 5001, line).excerpt().split("\n")
    assert len(shown) == 100
    assert shown[caret.index("^") :].startswith("HERE")


def test_control_characters_do_not_reach_the_terminal() -> None:
    message = refusal("a: \x1b[31m")
    assert message.startswith("f.yaml:1:4: the character U+001B is not allowed")
    assert "\x1b" not in message


def test_a_message_is_never_as_long_as_the_file() -> None:
    assert len(refusal("a: *" + "x" * 100_000)) < 1000


REFUSED = [
    # syntax
    ("a: [1, 2\nb: 3\n", 1, 4, "this '[' is never closed"),
    ("a: {x: 1\nb: 3\n", 1, 4, "this '{' is never closed"),
    ("a:\n  - {y: 2\n  - {z: 3}\n", 2, 5, "this '{' is never closed"),
    ("a: {b: 1\n", 1, 4, "this bracket is never closed"),
    ("a:\n  b: [\n", 2, 6, "a bracket is not closed before the end"),
    ("a: {x: 1\n  b: 3}\n", 2, 4, "expected ',' or '}' here"),
    ("a: [1, 2}\n", 1, 9, "expected ',' or ']' here"),
    ("a: {type: LSTM units: 4}\n", 1, 21, "a comma or a bracket is missing"),
    ("a: [1, 2]]\n", 1, 10, "this ] belongs to no bracket"),
    ("a: 1\n}\n", 2, 1, "this } belongs to no bracket"),
    ("a: {b: 1,, c: 2}\n", 1, 10, "a value is missing here"),
    ("a: {units: ${data.size}}\n", 1, 12, "a reference needs quotes"),
    ('a: "x\nb: 3\n', 1, 4, "this quote is never closed"),
    ('a: "x\nb: "y"\n', 1, 4, "this quote is never closed"),
    ("a: 'it's'\n", 1, 8, "unexpected text after the end of a value"),
    ('a: "b" c\n', 1, 8, "unexpected text after the end of a value"),
    ("[1] x\n", 1, 5, "unexpected text after the end of a value"),
    ("seed 0\nb: 1\n", 1, 1, "expected 'key: value'"),
    ("a: 1\nseed 0\nb: 2\n", 2, 1, "expected 'key: value'"),
    ("a: 1\nseed:0\nb: 2\n", 2, 1, "expected 'key: value'"),
    ("a:\n  b 1\n  c: 2\n", 2, 3, "expected 'key: value'"),
    ("a:\n  b:1\n\n  # why\n  c: 2\n", 2, 3, "expected 'key: value'"),
    ("a: b: c\n", 1, 5, "a second ':' on this line"),
    ("a: b\n  c: d\n", 2, 3, "the indentation of this line"),
    ("a:\n  b: 1\n c: 2\n", 3, 2, "the indentation of this line"),
    ("a:\n  - 1\n - 2\n", 3, 2, "the indentation of this line"),
    (" a: 1\nb: 2\n", 2, 1, "the indentation of this line"),
    ("a: 1\n- b\n", 2, 1, "the indentation of this line"),
    ("a: - 1\n", 1, 4, "a list begins on a line of its own"),
    ("a: @x\n", 1, 4, "text that begins with '@' needs quotes"),
    ("a: %x\n", 1, 4, "text that begins with '%' needs quotes"),
    ("a: *.txt\n", 1, 4, "text that begins with '*' needs quotes"),
    ('a: "\\q"\n', 1, 5, "this backslash begins no known escape: write \\\\"),
    ('a: "C:\\x"\n', 1, 7, "this backslash begins no known escape"),
    ('a: "\\UFFFFFFFF"\n', 1, 7, "a number in this escape or directive is out of range"),
    ('a: "\\ud800"\n', 1, 4, "half a character"),
    ("a: |x\n  b\n", 1, 5, "a text begins on the next line"),
    ("a: \x00\n", 1, 4, "the character U+0000 is not allowed"),
    ("%YAML 2.0\n---\na: 1\n", 1, 1, "version 1.* is required"),
    # tabs
    ("a:\n\tb: 1\n", 2, 1, "tabs are not allowed for indentation: use spaces"),
    ("a:\n  b: 1\n  \tc: 2\n", 3, 3, "tabs are not allowed for indentation: use spaces"),
    ("a: [1,\n\t2]\n", 2, 1, "tabs are not allowed for indentation: use spaces"),
    ("a:\tb\n", 1, 3, "tabs are not allowed here: use spaces"),
    ("a: 1\t\n", 1, 5, "tabs are not allowed here: use spaces"),
    # keys
    ("a: 1\nb: 2\na: 3\n", 3, 1, "the key 'a' is given twice: first on line 1"),
    ("b:\n  - {c: 1, c: 2}\n", 2, 12, "the key 'c' is given twice: first on line 2"),
    ("1: x\n", 1, 1, 'a key is a text: put quotes around it, "1"'),
    ("a: {true: x}\n", 1, 5, 'a key is a text: put quotes around it, "true"'),
    ("~: x\n", 1, 1, "a key is a text"),
    (": x\n", 1, 1, "a key is missing before this ':'"),
    ("{: x}\n", 1, 2, "a value is missing here"),
    ("a:\n  [b, c]: x\n", 2, 3, "a key is a text, not a list or a mapping"),
    ("? {a: b}\n: x\n", 1, 3, "a key is a text, not a list or a mapping"),
    # tags
    ("a: !!python/object/apply:os.system [ls]\n", 1, 4, "leave out '!!python/object/apply:os.system'"),
    ("a: 1\nb: !x 2\n", 2, 4, "tags are not allowed: leave out '!x'"),
    ("a: !!int 2\n", 1, 4, "tags are not allowed: leave out '!!int'"),
    ("a: !!str {b: 1}\n", 1, 4, "tags are not allowed: leave out '!!str'"),
    ("a: ! 2\n", 1, 4, "tags are not allowed: leave out '!'"),
    ("a: &x !y 2\n", 1, 4, "tags are not allowed: leave out '!y'"),
    ("!k a: 2\n", 1, 1, "tags are not allowed: leave out '!k'"),
    ("a: !e!x 2\n", 1, 4, "tags (words that begin with '!') are not allowed"),
    # documents
    ("a: 1\n---\nb: 2\n", 2, 1, "one file holds one document"),
    ("", 1, 1, "this file holds nothing"),
    (" \n\n", 1, 1, "this file holds nothing"),
    ("# only a comment\n", 1, 1, "this file holds nothing"),
    ("---\n", 2, 1, "this file holds nothing"),
    ("# list\n- a\n- b\n", 2, 1, "this file holds a list"),
    ("just words\n", 1, 1, "this file holds 'just words'"),
    ("12\n", 1, 1, "this file holds 12"),
    # sizes
    ("a: 1e999\n", 1, 4, "1e999 is too large for a number"),
    ("a: " + "9" * 101 + "\n", 1, 4, "a number of 101 characters is too long"),
    ("[" * 2000, 1, 51, "more than 50 levels"),
    ("a: " + "{a: " * 2000, 1, 197, "more than 50 levels"),
    ("- " * 2000, 1, 101, "more than 50 levels"),
    (BOMB, 5, 23, "more than 50,000 values"),
    ("a: [" + "1," * 400_000 + "]", 1, 99_999, "more than 50,000 values"),
    ("a: &x '" + "y" * 500_000 + "'\nb: [" + "*x," * 100 + "]", 2, 299, "more than 50,000 values"),
    ("a: &x [" + "[" * 30 + "]" * 30 + "]\nb: " + "[" * 20 + "*x" + "]" * 20, 2, 24, "more than 50 levels"),
    # aliases
    ("a: *x\n", 1, 4, "no anchor 'x' above this alias"),
    ("a: &x [1, *x]\n", 1, 11, "'x' contains itself"),
    ("a: &x\n  b: {c: *x}\n", 2, 10, "'x' contains itself"),
    ("a: &x 1\nb: &x 2\n", 2, 4, "this anchor is given twice"),
]


def seconds_of_the_largest_file() -> float:
    """What a busy machine takes for as many values as a file may have."""
    began = time.process_time()
    parse("a: [" + "1," * 39_997 + "]", "f.yaml")
    return time.process_time() - began


@pytest.mark.parametrize(("text", "line", "column", "message"), REFUSED)
def test_refusals_name_line_and_column_and_show_the_line(text: str, line: int, column: int, message: str) -> None:
    began = time.process_time()
    head, *excerpt = refusal(text).split("\n")
    spent = time.process_time() - began  # measured: 1.3 s at most; a bomb that goes off takes hours
    assert spent < 3.0 or spent < 2 * seconds_of_the_largest_file()
    assert head.startswith(f"f.yaml:{line}:{column}: ")
    assert message in head
    offending = text.split("\n")[line - 1]
    if not offending.strip():
        assert excerpt == []
    elif len(offending) <= 100:
        assert excerpt == [offending.replace("\x00", "\N{REPLACEMENT CHARACTER}"), " " * (column - 1) + "^"]
    else:
        shown, caret = excerpt
        assert shown in offending
        assert shown[caret.index("^")] == offending[column - 1]


def test_the_alias_bomb_has_306_bytes() -> None:
    assert len(BOMB) == 306


def test_all_mistakes_that_do_not_end_the_reading_are_reported_together() -> None:
    text = "a: 1\na: 2\nb: {c: 1, c: 2, c: 3}\n1: 3\n[x]: 4\nd: !x 5\ne: 1e999\na: 6\n"
    heads = [line for line in refusal(text).split("\n") if line.startswith("f.yaml:")]
    assert [head.split(": ")[0] for head in heads] == [
        "f.yaml:2:1", "f.yaml:3:11", "f.yaml:3:17", "f.yaml:4:1",
        "f.yaml:5:1", "f.yaml:6:4", "f.yaml:7:4", "f.yaml:8:1",
    ]  # fmt: skip


def test_a_tag_before_a_syntax_error_is_reported_with_it() -> None:
    assert [line.split(": ")[0] for line in refusal("a: !x 1\nb: [\n").split("\n")[::3]] == ["f.yaml:1:4", "f.yaml:2:4"]


def test_a_mistake_in_an_anchored_value_is_reported_once() -> None:
    assert refusal("a: &x {k: 1, k: 2}\nb: *x\nc: *x\n").count("given twice") == 1


def test_aliases_stand_for_values() -> None:
    tree = parse("a: &x {k: [1, 2]}\nb: *x\nc: [*x, *x]\n", "f.yaml").tree
    assert tree == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": [{"k": [1, 2]}] * 2}
    tree["b"]["k"].append(3)
    assert tree["a"] == {"k": [1, 2]}


def test_depth_and_count_are_allowed_up_to_their_limits() -> None:
    assert parse("a: " + "[" * 49 + "]" * 49, "f.yaml").marks[("a", *[0] * 48)].column == 52
    most = "a: &x [" + "1," * 999 + "]\nb: [" + "*x," * 48 + "1," * 996  # what is repeated by name is soon read
    assert len(parse(most + "]", "f.yaml").tree["b"]) == 48 + 996
    assert "more than 50,000" in refusal(most + "1]")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_byte_order_mark_and_line_endings_are_accepted(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(f"\ufeffname: demo{ending}data:{ending}  path: é{ending}".encode())
    document = load(path)
    assert document.tree == {"name": "demo", "data": {"path": "é"}}
    assert document.marks["data", "path"] == Mark(str(path), 3, 3, "  path: é")


def test_load_names_the_file_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    assert load("f.yaml").source == "f.yaml"


def loading(path: str | Path) -> str:
    with pytest.raises(ExperimentError) as caught:
        load(path)
    return str(caught.value)


def test_a_missing_file_is_resolved_and_near_names_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "char_lstm.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    assert loading("char_lsmt.yaml") == f"{tmp_path}/char_lsmt.yaml does not exist; did you mean 'char_lstm.yaml'?"
    assert loading("no/x.yaml") == f"{tmp_path}/no/x.yaml does not exist: there is no folder {tmp_path}/no"
    assert "does not exist" in loading("char_lstm.yaml/x.yaml")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert loading(tmp_path) == f"{tmp_path} is a folder, not an experiment file"
    os.mkfifo(tmp_path / "pipe")
    assert loading(tmp_path / "pipe") == f"{tmp_path}/pipe is a device or a pipe, not an experiment file"
    assert "is a device or a pipe" in loading("/dev/zero")
    assert "is no name of a file" in loading("a\0b")
    assert "cannot be read: File name too long" in loading("x" * 300)
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert "cannot be read: Too many levels of symbolic links" in loading(tmp_path / "loop.yaml")


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Without the rights of root, for whom permissions stop nothing."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("a: 1")
    path.chmod(0)
    with unprivileged():
        assert loading(path) == f"{path} cannot be read: Permission denied"


def test_a_file_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(2**30)
    began = time.process_time()
    message = loading(path)
    assert time.process_time() - began < 1.0
    assert message == f"{path} is 1,073,741,824 bytes long, an experiment at most 1,000,000: is this the data?"


def test_other_encodings_are_refused_with_offset_and_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes("name: demo\ndata: näive\n".encode("latin-1"))
    assert loading(path) == (
        f"{path}:2:8: byte 0xe4 at offset 18 is not UTF-8: save the file as UTF-8\n"
        "data: n\N{REPLACEMENT CHARACTER}ive\n       ^"
    )
    path.write_bytes("name: demo".encode("utf-16"))
    assert loading(path).startswith(f"{path}:1:1: byte 0xff at offset 0 is not UTF-8")


class Files:
    """A folder of experiment files, written by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, name: str = "f.yaml", **texts: str) -> Document:
        for stem, text in texts.items():
            path = self.folder / f"{stem.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return load(self.folder / name)

    def refusal(self, **texts: str) -> str:
        with pytest.raises(ExperimentError) as caught:
            self.load(**texts)
        return str(caught.value).replace(str(self.folder), "DIR")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_extends_merges_mappings_and_replaces_all_else(files: Files) -> None:
    document = files.load(
        base="seed: 0\ntrain: {epochs: 5, log: {every: 3}}\nsplit: [0.9, 0.1]\nname: base\nnote: {a: 1}\n",
        f="extends: base.yaml\ntrain: {epochs: 9, log: {deep: 1}}\nsplit: [1.0]\nnew: 1\nnote:\n",
    )
    assert document.tree == {
        "seed": 0,
        "train": {"epochs": 9, "log": {"every": 3, "deep": 1}},
        "split": [1.0],
        "name": "base",
        "note": None,
        "new": 1,
    }
    assert list(document.tree) == ["seed", "train", "split", "name", "note", "new"]


def test_an_interval_replaces_that_of_the_base(files: Files) -> None:
    document = files.load(
        base="train: {epochs: 5, evaluate_every: {epochs: 1}}\nlog: {every: {steps: 9}}\n",
        f="extends: base.yaml\ntrain: {evaluate_every: {steps: 2}}\nlog: {every: {minutes: 1}}\n",
    )
    assert document.tree == {
        "train": {"epochs": 5, "evaluate_every": {"steps": 2}},
        "log": {"every": {"minutes": 1}},
    }


def test_marks_point_to_the_file_that_each_value_comes_from(files: Files) -> None:
    document = files.load(
        base="seed: 0\ntrain: {epochs: 5,\n  state: carry}\nsplit: [0.9, 0.1]\n",
        f="extends: base.yaml\n# comment\ntrain: {epochs: 9}\nsplit: [1.0]\n",
    )
    places = {path: f"{Path(mark.source).name}:{mark.line}" for path, mark in document.marks.items()}
    assert places == {
        (): "f.yaml:1",
        ("seed",): "base.yaml:1",
        ("train",): "f.yaml:3",
        ("train", "epochs"): "f.yaml:3",
        ("train", "state"): "base.yaml:3",
        ("split",): "f.yaml:4",
        ("split", 0): "f.yaml:4",
    }
    assert document.source == str(files.folder / "f.yaml")


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ("{type: Adam, eps: 1}", "{type: SGD, lr: 2}", {"type": "SGD", "lr": 2}),
        ("{type: Adam, eps: 1}", "{type: Adam, lr: 2}", {"type": "Adam", "eps": 1, "lr": 2}),
        ("{type: Adam, eps: 1}", "{lr: 2}", {"type": "Adam", "eps": 1, "lr": 2}),
        ("{layers: [1]}", "{type: builder, units: 2}", {"type": "builder", "units": 2}),
        ("1e-3", "{type: cosine}", {"type": "cosine"}),
        ("{type: cosine}", "1e-3", 1e-3),
    ],
)
def test_another_type_replaces_a_mapping_whole(files: Files, base: str, over: str, merged: Any) -> None:
    document = files.load(base=f"x: {base}", f=f"extends: base.yaml\nx: {over}")
    assert document.tree == {"x": merged}
    keys = set(merged) if isinstance(merged, dict) else set()
    assert {path[1] for path in document.marks if len(path) == 2} == keys


def test_extends_is_relative_to_the_file_and_may_go_on(files: Files) -> None:
    texts = {"a": "x: 1\ny: 1\nz: 1", "sub__b": "extends: ../a.yaml\ny: 2\nz: 2", "f": "extends: sub/b.yaml\nz: 3"}
    document = files.load(**texts)
    assert document.tree == {"x": 1, "y": 2, "z": 3}
    assert document.marks["x",].source.endswith("a.yaml")


def test_extends_refusals_stand_at_their_line(files: Files) -> None:
    assert files.refusal(f="a: 1\nextends: bse.yaml\n", base="a: 1").startswith(
        "DIR/f.yaml:2:1: DIR/bse.yaml does not exist; did you mean 'base.yaml'?\nextends: bse.yaml\n^"
    )
    assert files.refusal(f="extends: [a]").startswith("DIR/f.yaml:1:1: extends should be the path of a file")
    assert files.refusal(f="extends:").startswith("DIR/f.yaml:1:1: extends should be the path of a file")
    assert files.refusal(f="extends: .").startswith("DIR/f.yaml:1:1: DIR is a folder")
    assert files.refusal(f='extends: "a\\0b"').startswith("DIR/f.yaml:1:1: 'DIR/a\\x00b' is no name of a file")
    assert files.refusal(f="extends: base.yaml", base="a: 1\na: 2").startswith(
        "DIR/base.yaml:2:1: the key 'a' is given"
    )


def test_circles_and_long_chains_of_extends_are_refused(files: Files) -> None:
    assert files.refusal(f="a: 1\nextends: f.yaml").startswith(
        "DIR/f.yaml:2:1: files extend one another in a circle: f.yaml -> f.yaml"
    )
    assert "circle: f.yaml -> b.yaml -> c.yaml -> f.yaml" in files.refusal(
        f="extends: b.yaml", b="extends: sub/../c.yaml", c="extends: f.yaml", sub__x="a: 1"
    )
    chain = {f"n{i}": f"extends: n{i + 1}.yaml" for i in range(12)}
    assert "n8.yaml:1:1: more than 10 files extend one another" in files.refusal(f="extends: n0.yaml", **chain)


AWKWARD = [
    "1e-3", "no", "017", "0o17", "1:30", "2024-01-01", "~", "null", "", "true", ".inf", ".nan", "-", "- a", "a: b",
    "a #b", "#", "${a}", "$${a}", "&a", "*a", "!a", "%a", "@a", "`a", "|", ">", "?", "? a", "[a", "{a", "a,b", "'", '"',
    "\\", " a", "a ", "\n", "a\n", "\na", "a\n\n b\n", "\t", "a\tb", "\r\n", "é", "日本", "\U0001f600",
    "\x00\x1b\x7f\x85\xa0", "\u2028", "\ufeff", "---", "...", "<<", "=", "a" * 300, "word " * 100,
]  # fmt: skip


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_is_written_so_that_it_reads_back(text: str) -> None:
    tree = {text: text, "list": [text, [text], {text: text}]}
    assert parse(dump(tree), "f.yaml").tree == tree


def test_dump_keeps_the_order_of_keys_and_writes_shared_values_out() -> None:
    shared = [1]
    assert dump({"z": shared, "a": shared, "empty": {}}) == "z:\n- 1\na:\n- 1\nempty: {}\n"


PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(AWKWARD)
NUMBERS = st.integers() | st.floats(allow_nan=False) | st.sampled_from([1e-3, 4e22, 5e-324, 1e16, -0.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | PLAIN_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_TEXT, inner, max_size=4),
    max_leaves=20,
)
TREES = st.dictionaries(PLAIN_TEXT, VALUES, min_size=1, max_size=4)


def same(one: Any, other: Any) -> bool:
    """Equal in value, type, order of keys, and the sign of zero."""
    return repr(one) == repr(other)


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_what_is_dumped_reads_back_the_same(tree: dict[str, Any]) -> None:
    document = parse(dump(tree), "f.yaml")
    assert same(document.tree, tree)
    assert all(mark.line >= 1 and mark.column >= 1 for mark in document.marks.values())


@settings(max_examples=100, deadline=None)
@given(TREES.filter(lambda tree: "\x7f" not in repr(tree) and "inf" not in repr(tree)))
def test_json_is_read_as_json(tree: dict[str, Any]) -> None:
    written = json.dumps(tree, indent=1)
    if "\x7f" not in written and "Infinity" not in written:
        assert same(parse(written, "f.yaml").tree, tree)


def paths(value: Any, path: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(paths(item, (*path, step)) for step, item in steps))


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_every_value_has_a_mark(tree: dict[str, Any]) -> None:
    assert set(parse(dump(tree), "f.yaml").marks) == paths(tree)


FRAGMENTS = [
    "a", ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", ",", "&a ", "*a", "!", "!!int ", "|", ">", "'", '"', "\\", "#",
    "---\n", "...", "%YAML ", "?", "\t", "1e9", "${a}", "\\u", "\x85", "\u2028", "\x00", "é", "~", "<<",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        tree = parse(text, "f.yaml").tree
    except ExperimentError as refused:
        message = str(refused)
    else:
        assert same(parse(dump(tree), "f.yaml").tree, tree)
        return
    assert message.startswith("f.yaml:")


SIGNS = "? ?? : :: , - -- [ ] { } [] {} ~ = @ ` \\ # | > & * % ! ' a 1 1e3 b: *a {a:b} {a} [a: {? '' \""
PIECES = (
    *SIGNS.split(),
    "\x85", "\u2028", "\r", "\x7f", "\ue000", "\U0001f600", " ", "\n", "\n  ", "\n- ", "\t", "\ufeff", " # c\n",
    "'a''b'", '"\\x41"', '"a\\\n b"', "{a: b}", "[a: b]", "{? a}", "&a ", "!x ", "!!str ", "|\n  a\n   b\n",
    ">-\n a\n\n  b\n", "%YAML 1.1\n---\n", "---\n", "...\n",
)  # fmt: skip


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.text(max_size=30), TREES.map(dump)))
def test_libyaml_takes_no_text_otherwise_than_pyyaml(text: str) -> None:
    """What it refuses is read again, and so is what is known to be taken otherwise; all else has to be the same."""
    text = text.encode(errors="replace").decode()
    marked = []
    for with_libyaml in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(yaml, "__with_libyaml__", with_libyaml)
            reading = read(text, locator(text, "f.yaml"))
        marked.append((repr(reading.value), reading.marks, reading.mistakes))
    assert marked[0] == marked[1]
