"""Lessons: each mistake is caught, each solution passes, and the command says what to do and why it mattered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minidl.cli.main import main
from minidl.experiment.lessons import EXERCISES, Exercise, grade

# The arrays whose gradient a mistake spoils, by lesson.
SPOILT = {
    1: {"b"}, 2: {"table"}, 3: {"logits"}, 4: {"x"}, 5: {"Wx", "Wh", "b", "x"}, 6: {"Wh"},
    7: {"Wx", "Wh", "b", "x"}, 8: {"Wx", "Wh", "b", "x"}, 9: {"Wx", "Wh", "b", "x"}, 10: {"Wx", "Wh", "b", "bh", "x"},
}  # fmt: skip


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.file)
def test_a_mistake_is_caught_and_its_solution_passes(exercise: Exercise, tmp_path: Path) -> None:
    path = tmp_path / exercise.file
    path.write_text(exercise.text(), encoding="utf-8")
    assert set(grade(exercise, path).wrong) == SPOILT[exercise.number]
    path.write_text(exercise.solution(), encoding="utf-8")
    assert grade(exercise, path).wrong == []


def test_there_are_ten() -> None:
    assert [exercise.number for exercise in EXERCISES] == list(range(1, 11))


def test_from_the_first_exercise_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lesson", "check"]) == 2
    assert "minidl lesson writes the first" in capsys.readouterr().err
    assert main(["lesson"]) == 0
    path = Path("lesson_01_dense.py")
    assert f"wrote {path}" in capsys.readouterr().out
    assert main(["lesson", "1"]) == 2  # it is not overwritten
    capsys.readouterr()
    assert main(["lesson", "check"]) == 5
    said = capsys.readouterr()
    assert "WRONG" in said.out
    assert "dW" in said.out
    assert "still wrong in lesson 1" in said.err
    path.write_text(path.read_text().replace("dy.mean(axis=0)", "dy.sum(axis=0)"))
    assert main(["lesson", "check"]) == 0
    assert EXERCISES[0].why in capsys.readouterr().out
    assert main(["lesson"]) == 0
    assert Path("lesson_02_embedding.py").is_file()
    capsys.readouterr()
    assert main(["lesson", "check", "--json"]) == 5
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["passed"], line["wrong"]) for line in found] == [(True, []), (False, ["table"])]
    assert main(["lesson", "list"]) == 0
    states = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert states == ["mended", "wrong", *["to"] * 8]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("def backward(", "def backward((", 1), "lesson_01_dense.py:"),
        (("db[...] = dy.mean", "db[...] = missing.mean", 1), "NameError: name 'missing' is not defined"),
        (("class LessonDense(Layer)", "class LessonDense", 1), "should define one layer, and defines 0"),
    ],
)
def test_code_that_fails_is_shown_with_its_place(
    change: tuple[str, str, int], says: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    path = Path(EXERCISES[0].file)
    path.write_text(EXERCISES[0].text().replace(*change), encoding="utf-8")
    assert main(["lesson", "check"]) == 2
    assert says in capsys.readouterr().err


def test_a_word_that_is_no_lesson(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", "chek"]) == 2
    assert (
        "there is no lesson 'chek'; did you mean 'check'? (there are: 1 to 10, check, list)" in capsys.readouterr().err
    )
