"""reproduce: an experiment is trained anew, and what it comes to is held against what its file expects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import write_experiment

from minidl.cli.main import main

QUIET = {"every": {"steps": 5}, "tensorboard": False}


def expecting(folder: Path, expect: dict[str, object]) -> None:
    write_experiment(folder, log=QUIET, expect=expect)


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_holds_and_what_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expecting(tmp_path, {"measures": {"test/loss": [3.0, 1.0]}, "seeds": [0, 1]})
    assert main(["reproduce", "tiny.yaml", "train.steps=5", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    found = shown["measures"]["test/loss"]["found"]
    assert shown["holds"]
    assert len(found) == 2
    assert found[0] != found[1]
    assert [Path(run).is_dir() for run in shown["runs"]] == [True, True]
    assert main(["reproduce", "tiny.yaml", "train.steps=5", "expect.measures={test/loss: [0.5, 0.01]}"]) == 5
    assert "does not hold: tiny.yaml" in capsys.readouterr().err


def test_all_of_a_folder_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "some").mkdir()
    expecting(tmp_path / "some", {"measures": {"val/loss": [3.0, 2.0]}})
    assert main(["reproduce", "some", "--all", "--out", "results.md"]) == 0
    table = Path("results.md").read_text()
    assert "| tiny | val/loss | 3 ± 2 |" in table
    assert "yes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expect", "words", "code"),
    [
        ({}, "says nothing that could be reproduced", 2),
        ({"measures": {"val/perplexity": [1.0, 1.0]}}, "which the run does not measure", 2),
        ({"measures": {"val/loss": [1.0]}}, "a list of 2", 2),
        ({"measures": {"val/loss": [1.0, -1.0]}}, "the tolerance of val/loss", 2),
        ({"seeds": [-1]}, "0 or more", 2),
    ],
)
def test_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expect: dict[str, object], words: str, code: int
) -> None:
    expecting(tmp_path, expect)
    assert main(["reproduce", "tiny.yaml", "train.steps=3"]) == code
    assert words in capsys.readouterr().err


def test_nothing_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce"]) == 2
    assert main(["reproduce", "--all"]) == 2
    assert "no experiment there has a section `expect`" in capsys.readouterr().err
