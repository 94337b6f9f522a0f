"""Flags and numbers on the command line, with whatever value: each ends in a message of minidl's, never a traceback."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import run, write_experiment

from minidl.cli.arguments import number, whole
from minidl.cli.command import parser_of
from minidl.cli.main import VERBS, main, module_of
from minidl.config.build import findings
from minidl.config.declared import Declared
from minidl.storage.description import check_description
from minidl.system.errors import CheckpointError, UsageError

NUMBERS = (
    "",
    " ",
    "-1",
    "0",
    "1_000",
    "1e9",
    "nan",
    "inf",
    "--",
    "\u0663",
    "1" + "0" * 23,
    "abc",
    "0x10",
    "1.5",
    "\x1b[2J",
)
FLAGS = [
    *(("sample", "tiny", flag) for flag in ("--length", "--top-k", "--seed")),
    *(("sample", "tiny", "--length=2", flag) for flag in ("--temperature", "--top-p", "--min-p")),
    *(("sample", "tiny", "--length=2", flag) for flag in ("--repetition-penalty", "--samples")),
    *(("sweep", "tiny.yaml", "optimizer.lr=log(1e-3, 1e-1)", flag) for flag in ("--jobs", "--seed", "--trials")),
    ("run", "tiny.yaml", "--dry-run", "--resume"),
]
WORDS = (  # of each verb that needs some before its flags are read
    ("check", "tiny.yaml"),
    ("cells", "tiny"),
    ("compress", "tiny.yaml"),
    ("decompress", "tiny.yaml"),
    ("evaluate", "tiny"),
    ("explain", "tiny"),
    ("export", "tiny"),
    ("import", "weights.npz", "tiny.yaml", "--out=model.npz"),
    ("inspect", "tiny"),
    ("lesson", "list"),
    ("new", "project"),
    ("predict", "tiny", "--data=rows.csv"),
    ("reproduce", "tiny.yaml"),
    ("run", "tiny.yaml"),
    ("runs",),
    ("sample", "tiny"),
    ("schema",),
    ("sweep", "tiny.yaml", "--trials=0"),
    ("verify", "tiny"),
    ("view", "tiny"),
)
SETTINGS = ("train.epochs", "train.steps", "train.minutes", "seed", "threads", "data.batch_size", "data.seq_len")
Command = Callable[..., tuple[int, str]]
VALUES = ("1e308", "-1e308", ".nan", ".inf", "1" + "0" * 60, "-1", "''", "[]", "{}", "null", "1e-320", "true")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_experiment(folder, train__steps=2, train__sample_every=None)
    assert run(folder, "tiny.yaml").code == 0
    return folder


@pytest.fixture
def command(trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """A command in the folder of the run: its exit code, and what it says to stderr."""
    monkeypatch.chdir(trained)

    def carried_out(*words: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(list(words))
        return code, capfd.readouterr().err

    return carried_out


@pytest.mark.parametrize("words", FLAGS, ids=lambda words: f"{words[0]} {words[-1]}")
def test_values_of_flags(command: Command, words: tuple[str, ...]) -> None:
    refused = 0
    for value in NUMBERS:
        if words[0] == "sweep" and value in ("1e9", "0") and words[-1] == "--seed":
            continue
        more = () if "--trials" in words or words[0] != "sweep" else ("--trials", "0")
        code, said = command(*words[:-1], *more, f"{words[-1]}={value}")
        assert "Traceback" not in said, (value, said)
        assert "\x1b" not in said
        assert code in (0, 2), (value, said)
        refused += code == 2
    assert refused > len(NUMBERS) / 2


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[0])
def test_every_flag_of_every_verb(words: tuple[str, ...]) -> None:
    """Its value missing, repeated, empty, of other scripts, too large: taken as it is, or refused in words."""
    parser = parser_of(module_of(words[0]), f"minidl {words[0]}")
    taken, said = [], []
    for action in parser._actions:
        for flag in action.option_strings if action.nargs != 0 else ():
            for value in [[flag], *([f"{flag}={value}"] for value in NUMBERS), [f"{flag}=1", f"{flag}=2"]]:
                try:
                    parser.parse([*words[1:], *value])
                    taken += [value[0]] * (action.type in (whole, number))
                except UsageError as error:
                    said.append(str(error))
    assert not [
        text for text in said if not text.startswith(f"minidl {words[0]}: ") or re.search(r"invalid \S+ val", text)
    ]
    assert {text.partition("=")[2] for text in taken} <= {"-1", "0", "1", "1e9", "1.5", "1" + "0" * 23, "nan", "inf"}


def test_each_verb_has_its_words() -> None:
    assert sorted(VERBS) == sorted(words[0] for words in WORDS)


@pytest.mark.parametrize("name", SETTINGS)
def test_values_of_settings(command: Command, name: str) -> None:
    for value in VALUES:
        code, said = command("run", "tiny.yaml", "--dry-run", f"{name}={value}")
        assert "Traceback" not in said, (value, said)
        assert "Warning" not in said
        assert code in (0, 2, 3), (value, said)


FOREIGN = re.compile(
    r"Input should|valid |Tuple|List should|Dictionary|item after|isinstance|pars|should be (The |[A-Z])"
)
STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    10**400,
    "x",
    b"x",
    [],
    [[]],
    [0] * 9,
    {},
    {"type": "x"},
    {1: 2},
    print,
)


def test_every_field_refuses_strange_values_in_words_of_minidl() -> None:
    """Whatever is declared anywhere: layers, losses, optimizers, schedules, data, tasks, callbacks."""
    seen = 0
    for kind in [kind for kind in _below(Declared) if kind.is_own()]:
        for field in (field for field in dataclasses.fields(kind) if field.init):
            for value in STRANGE:
                for finding in findings(kind, {field.name: value}, ()):
                    seen += 1
                    assert not FOREIGN.search(finding.message), (kind, field.name, value, finding.message)
    assert seen > 1000


def _below(kind: type[Any]) -> set[Any]:
    """The classes that derive from a class, and have fields of their own."""
    below = set(kind.__subclasses__()).union(*map(_below, kind.__subclasses__()))
    return {item for item in below if dataclasses.is_dataclass(item)}


def test_what_a_checkpoint_says_is_refused_in_words_of_minidl() -> None:
    graph = {"inputs": [], "nodes": [], "results": []}
    model = {"graph": graph, "seed": 0, "dtype": "float32", "vocabulary": None}
    said = []
    for place in ("progress", "optimizer", "generators", "callbacks", "data", "experiment", "code", "model"):
        for value in STRANGE[1:]:
            try:
                check_description({"model": model, place: value}, {})
            except CheckpointError as error:
                said.append(str(error))
    assert len(said) > 50
    assert not [text for text in said if FOREIGN.search(text)]
