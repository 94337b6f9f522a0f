"""Commands and experiment files in the README and the docs do what they say; trainings are cut short."""

from __future__ import annotations

import re
import shlex
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from minidl.cli.main import carry_out, main
from minidl.experiment import read_experiment
from minidl.experiment.yaml.document import dump, parse

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^    (minidl .*|python -m minidl\.run .*)$", re.MULTILINE)
FENCED_YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^    .*\n(?:^ *\n(?=    ))*)+", re.MULTILINE)
NO_PICTURES = "log.histograms_every=null"
SHORT = [
    "data.source=tinyshakespeare.txt",
    "train.steps=4",
    "data.batch_size=4",
    "data.seq_len=8",
    "sample.length=5",
    "model.layers.1.units=4",
]
SHORT_OF = {  # of experiments on other data than a text
    "experiments/classify_messages.yaml": ["train.epochs=1", "data.source=messages.csv", "model.units=4"],
    "experiments/names_documents.yaml": [
        *("train.steps=2", "data.source=names.csv", "data.batch_size=4", "model.units=4", "sample.length=5")
    ],
    "experiments/series_lorenz.yaml": ["train.steps=2", "data.seq_len=8", "model.layers.0.units=4"],
}
NEEDS = {"export": ("onnx", "safetensors"), "sweep": ("optuna",)}  # by verb, what is not installed with minidl
BASE = parse((ROOT / "experiments" / "char_lstm.yaml").read_text(), "char_lstm.yaml").tree


def commands() -> list[list[str]]:
    lines = [match for page in PAGES for match in COMMAND.findall(page.read_text())]
    found = [shlex.split(line, comments=True) for line in lines]
    return [words for words in found if not {"DIR", "RUN", "EXPERIMENT.yaml", "VERB"} & set(words)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "messages.csv").write_text("text,kind\n" + "see you at noon,ham\nwin a prize now,spam\n" * 50)
    names = [unicodedata.name(chr(code)) for code in range(0x100, 0x200)]
    (folder / "names.csv").write_text("\n".join(["name", *names]))
    (folder / "new.csv").write_text("text,x\na prize at noon,0.5\nsee you,0.25\n")
    (folder / "new.txt").write_text("name\nLATIN SMALL LETTER A\n")
    for name in ("experiments", "models", "benchmarks/quality"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "tinyshakespeare.txt").write_text("To be, or not to be, that is the question.\n" * 100)
    shutil.copy(ROOT / "experiments" / "char_lstm.yaml", folder)
    return folder


@pytest.fixture
def trained(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    if not (project / "runs").exists():
        assert carry_out("run", ["experiments/char_lstm.yaml", *SHORT, NO_PICTURES, "train.steps=2"], "minidl.run") == 0
    return project


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_docs(words: list[str], trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if words[:2] == ["python", "-m"]:
        words = ["minidl", "run", *words[3:]]
    for module in NEEDS.get(words[1], ()):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'minidl[{words[1]}]'")
    if words[1] == "sweep":
        words = [*words, "--trials", "2", "--jobs", "1"]  # the last word counts
    if words[1] in ("run", "sweep") and "--dry-run" not in words:
        short = [*SHORT_OF.get(words[2], SHORT), NO_PICTURES]
        words += [word for word in short if not any(given.startswith(word.partition("=")[0]) for given in words)]
    if words[1] == "import":
        words += [*SHORT, "--force"]
    if "--resume" in words:  # of a run that was stopped half way
        assert main([*(word for word in words[1:] if word != "--resume"), "train.steps=2"]) == 0
    if words[1] == "check":
        words += SHORT[2:]
    assert main(words[1:]) == 0, capsys.readouterr().err
    assert any(capsys.readouterr())


def experiments() -> list[Any]:
    """Whole files, and sections that are put into a whole file, from fenced and indented blocks."""
    found = []
    for page in PAGES:
        text = page.read_text()
        blocks = FENCED_YAML.findall(text) + [
            re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in INDENTED.findall(text)
        ]
        for block in blocks:
            if re.match(r"(name|data|model|loss|optimizer|train|log|sample|extends):", block) and "…" not in block:
                found.append(pytest.param(block, id=f"{page.name}: {block.splitlines()[0]}"))
    return found


@pytest.mark.parametrize("block", experiments())
def test_an_experiment_of_the_docs(block: str, project: Path) -> None:
    (project / "book.txt").write_text(
        "All happy families are alike; each unhappy family is unhappy in its own way.\n" * 200
    )
    (project / "reviews.csv").write_text("review,stars\n" + "a moving book,5\nnot for me,2\n" * 50)
    tree = parse(block, "a page").tree
    if tree.get("loss", {}).get("class_weights") == "balanced":
        tree = {"extends": "experiments/classify_messages.yaml", **tree}
    whole = tree if "extends" in tree else {**BASE, **tree}
    if whole.get("data", {}).get("source") == "book.txt":
        whole["data"] = {**whole["data"], "max_vocab": 20}
    if whole.get("data", {}).get("type") == "table":
        whole["model"] = {"type": "classifier"}
    path = project / "of_a_page.yaml"
    path.write_text(dump(whole))
    assert read_experiment(path).model.graph.nodes
