"""Flags and numbers on the command line, with whatever value: each ends in a message of minidl's, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import launch, run, write_experiment

from minidl.cli.main import main

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
    *(("sample", "tiny", "--length=2", flag) for flag in ("--temperature", "--top-p")),
    *(("sweep", "tiny.yaml", "optimizer.lr=log(1e-3, 1e-1)", flag) for flag in ("--jobs", "--seed", "--trials")),
    ("run", "tiny.yaml", "--dry-run", "--resume"),
]
SETTINGS = ("train.epochs", "train.steps", "train.minutes", "seed", "threads", "data.batch_size", "data.seq_len")
VALUES = ("1e308", "-1e308", ".nan", ".inf", "1" + "0" * 60, "-1", "''", "[]", "{}", "null", "1e-320", "true")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_experiment(folder, train__steps=2, train__sample_every=None)
    assert run(folder, "tiny.yaml").code == 0
    return folder


@pytest.mark.parametrize("words", FLAGS, ids=lambda words: f"{words[0]} {words[-1]}")
def test_values_of_flags(trained: Path, words: tuple[str, ...]) -> None:
    refused = 0
    for value in NUMBERS:
        if words[0] == "sweep" and value in ("1e9", "0") and words[-1] == "--seed":
            continue
        more = () if "--trials" in words or words[0] != "sweep" else ("--trials", "0")
        ended = launch(
            trained, lambda value=value, more=more: main([*words[:-1], *more, f"{words[-1]}={value}"])
        ).wait()
        assert "Traceback" not in ended.err, (value, ended.err)
        assert "\x1b" not in ended.err
        assert ended.code in (0, 2), (value, ended.err)
        refused += ended.code == 2
    assert refused > len(NUMBERS) / 2


@pytest.mark.parametrize("name", SETTINGS)
def test_values_of_settings(trained: Path, name: str) -> None:
    for value in VALUES:
        words = ["run", "tiny.yaml", "--dry-run", f"{name}={value}"]
        ended = launch(trained, lambda words=words: main(words)).wait()
        assert "Traceback" not in ended.err, (value, ended.err)
        assert "Warning" not in ended.err
        assert ended.code in (0, 2, 3), (value, ended.err)
