"""The command line: verbs, flags, what goes to stdout and what to stderr, exit codes; all in this process."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from minidl import Input, Model
from minidl.cli import json_output
from minidl.cli.check import STEPS, STREAMS, few
from minidl.cli.command import parser_of
from minidl.cli.main import EXAMPLES, VERBS, main, module_of
from minidl.data import from_arrays
from minidl.layers import Dense
from minidl.storage.atomic import write_whole
from minidl.system.errors import NumericsError

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
TINY = """
data: {type: text, source: book.txt, batch_size: 4, seq_len: 8}
model:
  layers:
    - {type: Embedding, name: symbols, units: 6}
    - {type: LSTM, name: lstm, units: 6}
    - {type: Dense, name: logits, units: "${data.vocab_size}"}
loss: {type: SoftmaxCE, name: loss}
train: {steps: 4, evaluate_every: {steps: 2}, sample_every: null}
log: {every: {steps: 2}, tensorboard: false}
"""


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


@pytest.fixture
def minidl(capsys: pytest.CaptureFixture[str]) -> Command:
    """`minidl ...` in this process."""

    def command(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = Said(code, *capsys.readouterr())
        assert "Traceback" not in said.err
        return said

    return command


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment and two runs of it; not to be written in."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "book.txt").write_text(TEXT)
    (folder / "tiny.yaml").write_text(TINY)
    for change in ("optimizer.lr=1e-3", "optimizer.lr=1e-2"):
        assert main(["run", str(folder / "tiny.yaml"), change, "--runs", str(folder / "runs")]) == 0
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    shutil.copytree(trained, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


# Verbs and flags


@pytest.mark.parametrize("words", [["--help"], ["-h"], *([verb, "--help"] for verb in VERBS)])
def test_help_teaches_with_examples(minidl: Command, words: Sequence[str]) -> None:
    said = minidl(*words)
    assert said.code == 0
    assert said.err == ""
    assert "examples:\n  minidl " in said.out
    assert all(len(line) <= 120 for line in said.out.splitlines())


def examples() -> list[str]:
    """Of all help texts, without what is said about them at the right."""
    texts = [EXAMPLES, *(parser_of(module_of(verb), f"minidl {verb}").epilog or "" for verb in VERBS)]
    return re.findall(r"^  (?:.*\| )?minidl (.*?)(?: {2,}.*)?$", "\n".join(texts), re.MULTILINE)


def test_there_are_examples_for_each_verb() -> None:
    assert {example.split()[0] for example in examples()} == set(VERBS)


@pytest.mark.parametrize("example", examples())
def test_an_example_of_the_help_is_understood(example: str) -> None:
    verb, *words = shlex.split(example)
    assert parser_of(module_of(verb), f"minidl {verb}").parse(words)


def test_help_says_what_each_verb_is_for(minidl: Command) -> None:
    for verb, what in VERBS.items():
        assert what in minidl("--help").out
        assert f"usage: minidl {verb}" in minidl(verb, "--help").out


def test_version(minidl: Command) -> None:
    assert minidl("--version").out.startswith("minidl 0.")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "usage: minidl VERB"),
        (["smaple"], "no verb 'smaple'; did you mean 'sample'?"),
        (["chekc"], "did you mean 'check'?"),
        (["--hlep"], "no option '--hlep'; did you mean '--help'?"),
        (["tiny.yaml"], "did you mean 'minidl run tiny.yaml'?"),
        (["run"], "required: EXPERIMENT.yaml\n"),
        (["run", "tiny.yaml", "--dryrun"], "no option '--dryrun'; did you mean '--dry-run'?"),
        (["run", "tiny.yaml", "--resum=3"], "did you mean '--resume'?"),
        (["run", "-resume", "tiny.yaml"], "did you mean '--resume'?"),
        (["run", "tiny.yaml", "--runs"], "--runs: expected one argument"),
        (["run", "tiny.yaml", "--runs", "--json"], "--runs: expected one argument"),
        (["run", "tiny.yaml", "--resume", "0"], "the number of a run is 1, 2, ..."),
        (["run", "tiny.yaml", "--resume=two"], "got 'two'"),
        (["run", "tiny.yaml", "train.steps", "5"], "such as train.steps=VALUE"),
        (["sample", "tiny", "--temprature", "0.5"], "did you mean '--temperature'?"),
        (["sample", "tiny", "tiny"], "there is no place for 'tiny'"),
        (["sample", "tiny", "--length", "many"], "a whole number of at most 18 digits, such as 20, "),
        (["sample", "tiny", "--length", "0"], "--length should be 1 or more, got 0"),
        (["sample", "tiny", "--seed", "-1"], "--seed should be 0 or more, got -1"),
        (["sample", "tiny", "--temperature", "-1"], "should be 0 or more, got -1.0"),
        (["sample", "tiny", "--temperature", "nan"], "should be a finite number, got nan"),
        (["sample", "tiny", "--top-p", "2"], "should be 1 or less, got 2.0"),
        (["sample", "tiny", "--prime", "a", "--chat"], "one of --prime, --prime-file and --chat"),
        (["run", "tiny.yml"], "did you mean 'tiny.yaml'?"),
        (["run", "tiny.yaml", "optimzer.lr=3"], "command line:1:1: unknown section 'optimzer'; did you mean"),
        (["new", "runs"], "exists and is not an empty folder"),
        (["sample", "tiny/1"], "'tiny/1' is no model file"),
        (["evaluate", "tiny", "--data", "book.txt", "--runs=other/"], "'tiny' is no model file"),
    ],
)
def test_a_wrong_command_is_answered_with_the_right_one(
    minidl: Command, project: Path, words: Sequence[str], says: str
) -> None:
    said = minidl(*words)
    assert said.code in (2, 4)
    assert (said.code == 4) == ("model file" in says)
    assert said.out == ""
    assert says in said.err


def test_values_may_begin_with_a_dash(minidl: Command, project: Path) -> None:
    assert minidl("sample", "tiny", "--prime", "-dog", "--length", 1).out.startswith("-dog")
    assert minidl("sample", "--length", 1, "--", "tiny").code == 0


@pytest.mark.parametrize("words", ["--help", "--version", "runs --help", "schema", "nonsense"])
def test_streams_that_take_nothing(words: str) -> None:
    """An exit code, and no traceback, also where nothing can be said."""
    for streams in (">/dev/full", ">/dev/full 2>/dev/full", "2>/dev/full"):
        command = f"'{sys.executable}' -m minidl {words} {streams}"
        done = subprocess.run(command, shell=True, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == (2 if words == "nonsense" else 74 if ">/dev/full" in streams.split() else 0)
        assert "Traceback" not in done.stderr


# run


def test_dry_run_shows_model_steps_and_memory_and_trains_nothing(minidl: Command, project: Path) -> None:
    said = minidl("run", "tiny.yaml", "--dry-run", "train.epochs=2", "train.steps=null", "--runs", "none")
    assert said.code == 0
    assert said.err == ""
    for line in ("lstm     LSTM       (T, B, 6)", "steps per epoch: 50", "total steps: 100", "memory: about 0.0 MB"):
        assert line in said.out
    assert not Path("none").exists()
    numbers = json.loads(minidl("run", "tiny.yaml", "--dry-run", "--json", "train={minutes: 2}").out)
    assert (numbers["steps_per_epoch"], numbers["total_steps"]) == (50, None)
    other = json.loads(minidl("run", "tiny.yaml", "--dry-run", "--json", "optimizer={type: SGD}").out)
    assert numbers["memory_bytes"] - other["memory_bytes"] == 4 * numbers["parameters"]  # Adam remembers twice as much
    assert "as many as fit into 2 minutes\n" in minidl("run", "tiny.yaml", "--dry-run", "train={minutes: 2}").out
    said = minidl("run", "tiny.yaml", "--dry-run", "train={minutes: 1}").out
    assert "as many as fit into 1 minute\n" in said
    assert "\ndata.vocab_size: 29\n" in said  # as ${...} has it


def test_run_says_where_the_run_lies_and_how_to_view_it(minidl: Command, project: Path) -> None:
    said = minidl("run", "tiny.yaml", "--runs", "mine")
    assert said.code == 0
    assert said.out == (
        "\ndone: the run lies in mine/tiny/001\nview it with: tensorboard --logdir mine\n"
        "see it think: minidl view tiny --runs mine\n"
    )
    assert "step 2/4" in said.err


def test_json_is_all_there_is_on_stdout(minidl: Command, project: Path) -> None:
    said = minidl("run", "tiny.yaml", "--json")
    *records, last = map(json.loads, said.out.splitlines())
    assert last == {"run": "runs/tiny/003", "state": "done"}
    assert [record["step"] for record in records if "train/loss" in record] == [2, 4]
    assert said.err == ""


@pytest.mark.parametrize(
    ("words", "number"),
    [(["--resume"], 2), (["--resume", "1"], 1), (["--resume=1"], 1), (["--resume", "001"], 1)],
)
def test_resume_goes_on_with_the_newest_or_with_a_number(
    minidl: Command, project: Path, words: Sequence[str], number: int
) -> None:
    """Overrides may stand on either side of it."""
    rate = f"optimizer.lr=1e-{4 - number}"
    for end in (6, 8):
        said = minidl("run", "tiny.yaml", rate, *words, f"train.steps={end}")
        assert said.code == 0, said.err
        assert f"the run lies in runs/tiny/00{number}" in said.out
        assert f"step {end}/{end}" in said.err


def test_resume_says_when_there_is_nothing_to_go_on_with(minidl: Command, project: Path) -> None:
    assert minidl("run", "tiny.yaml", "--resume", "9").code == 4
    assert "there is no run 9 of 'tiny' (there are: 1, 2)" in minidl("run", "tiny.yaml", "--resume", "9").err
    assert "nothing to resume" in minidl("run", "tiny.yaml", "name=other", "--resume").err


# sample


def test_a_sample_begins_with_its_prime_and_depends_on_the_seed(minidl: Command, project: Path) -> None:
    first, again = (minidl("sample", "tiny", "--prime", "the ", "--length", 30) for _ in range(2))
    assert first.code == 0
    assert first.out == again.out
    assert first.out.startswith("the ")
    assert len(first.out) == len("the ") + 30 + 1
    assert minidl("sample", "tiny", "--prime", "the ", "--length", 30, "--seed", 1).out != first.out
    assert len(minidl("sample", "tiny", "--length", 30).out) == 31


@pytest.mark.parametrize("run", ["tiny", "tiny/001", "runs/tiny/001", "runs/tiny/001/checkpoints/best", "runs/tiny"])
def test_a_run_has_many_names(minidl: Command, project: Path, run: str) -> None:
    assert minidl("sample", run, "--length", 3).code == 0
    assert minidl("inspect", run).code == 0


def test_a_prime_from_a_file_or_stdin_loses_its_last_line_break(
    minidl: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = minidl("sample", "tiny", "--prime", "fox\n\njumps", "--length", 20).out
    Path("prime.txt").write_text("fox\n\njumps\n")
    assert minidl("sample", "tiny", "--prime-file", "prime.txt", "--length", 20).out == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"fox\n\njumps\n")))
    assert minidl("sample", "tiny", "--prime", "-", "--length", 20).out == expected


def test_a_prime_that_cannot_be_read(minidl: Command, project: Path) -> None:
    said = minidl("sample", "tiny", "--prime-file", "boook.txt")
    assert said.code == 3
    assert "did you mean 'book.txt'?" in said.err
    Path("latin.txt").write_bytes("fox é".encode("latin-1"))
    said = minidl("sample", "tiny", "--prime-file", "latin.txt")
    assert said.code == 3
    assert "latin.txt: byte 0xe9 at offset 4 is not UTF-8" in said.err


def test_a_sample_of_any_length_may_be_asked_for(project: Path) -> None:
    """Until nobody reads it any more; and stdin may be closed."""
    command = f"'{sys.executable}' -m minidl sample tiny --length {10**17}"
    for streams, code in (("--prime x | head -c 10", 0), ("--chat <&-", 0), ("--length 3 --prime - <&-", 0)):
        done = subprocess.run(
            f"{command} {streams}", shell=True, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


def test_symbols_that_are_not_in_the_vocabulary_are_named(minidl: Command, project: Path) -> None:
    said = minidl("sample", "tiny", "--prime", "the FÖX", "--length", 5)
    assert said.code == 0
    assert said.err == "minidl: prime: not in the vocabulary and left out: 'F', 'Ö', 'X'\n"
    assert said.out.startswith("the FÖX")
    assert minidl("sample", "tiny", "--length", 5).err == ""


def test_text_of_another_vocabulary_is_refused(minidl: Command, project: Path) -> None:
    """Where most of a text would be left out, what is left says nothing about it."""
    Path("greek.txt").write_text("ὁ ἄνθρωπος ζῷον πολιτικόν. " * 20)
    for words in (["sample", "tiny", "--prime", "ἄνθρωπος"], ["evaluate", "tiny", "--data", "greek.txt"]):
        said = minidl(*words)
        assert (said.code, said.out) == (3, "")
        assert "is of another vocabulary than the model" in said.err
        assert "init_from in an experiment" in said.err


def test_a_chat_goes_on_from_each_line(minidl: Command, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.load("runs/tiny/001/checkpoints/best")
    model.parameters["lstm/b"][6:12] = (
        5.0  # it forgets nothing, and speaks loudly, so that what it writes depends on all it has read
    )
    model.parameters["logits/W"][...] *= 50
    model.save("loud.npz")
    monkeypatch.setattr(sys, "stdin", io.StringIO("the quick\nfox\n"))
    said = minidl("sample", "loud.npz", "--chat", "--length", 12)
    assert said.code == 0
    first = minidl("sample", "loud.npz", "--prime", "the quick\n", "--length", 12).out.removeprefix("the quick\n")
    assert said.out.startswith(first)
    before = f"the quick\n{first.removesuffix(chr(10))}fox\n"
    second = minidl("sample", "loud.npz", "--prime", before, "--length", 12, "--seed", 1).out
    assert said.out == first + second.removeprefix(before)
    alone = minidl("sample", "loud.npz", "--prime", "fox\n", "--length", 12, "--seed", 1).out
    assert alone.removeprefix("fox\n") != second.removeprefix(before)


# evaluate, inspect, check, runs, schema, new


def test_evaluate_measures_the_parts_of_the_data_or_a_text(minidl: Command, project: Path) -> None:
    said = minidl("evaluate", "tiny/002")
    assert said.code == 0
    records = map(json.loads, Path("runs/tiny/002/metrics.jsonl").read_text().splitlines())
    *_, last = (record for record in records if "val/loss" in record)
    lines = dict(line.split() for line in said.out.splitlines())
    assert lines["val/loss"] == f"{last['val/loss']:.4f}"
    assert float(lines["test/bits_per_char"]) == pytest.approx(float(lines["test/loss"]) / np.log(2), rel=1e-3)
    assert json.loads(minidl("evaluate", "tiny/002", "--json").out)["val/loss"] == pytest.approx(last["val/loss"])
    Path("other.txt").write_text("The dog is lazy. " * 20)
    said = minidl("evaluate", "tiny", "--data", "other.txt")
    assert said.out.startswith("data/loss")
    assert said.err == "minidl: other.txt: not in the vocabulary and left out: 'T'\n"


def test_evaluate_says_what_it_lacks(minidl: Command, project: Path) -> None:
    Model(outputs={"y": Dense(2)(Input("x", depth=3))}).save("plain.npz")
    said = minidl("evaluate", "plain.npz")
    assert said.code == 4
    assert "without the data it was trained on" in said.err
    assert minidl("run", "tiny.yaml", "name=own", "data.split=[1, 0, 0]").code == 0
    assert "has no validation or test part" in minidl("evaluate", "own").err
    Path("book.txt").write_text(TEXT + "more")
    said = minidl("evaluate", "own")
    assert said.code == 4
    assert "not what this run was trained on" in said.err
    Path("book.txt").unlink()
    assert minidl("evaluate", "own").code == 3


def test_inspect_shows_model_progress_and_weights(minidl: Command, project: Path) -> None:
    out = minidl("inspect", "tiny/001").out
    assert "lstm     LSTM" in out
    assert "step 4, best validation loss" in out
    assert "lstm/Wh        (6, 24)" in out
    rows = [json.loads(line) for line in minidl("inspect", "tiny/001", "--json").out.splitlines()]
    assert {row["array"] for row in rows} > {"symbols/table", "lstm/Wx", "logits/b"}


def test_check_proves_every_gradient(minidl: Command, project: Path) -> None:
    said = minidl("check", "tiny.yaml")
    assert said.code == 0
    assert "all gradients are right" in said.out
    assert "lstm/Wh" in said.out
    assert all(json.loads(line)["passed"] for line in minidl("check", "tiny.yaml", "--json").out.splitlines())


WRONG = '''
import dataclasses

from minidl.layers import Dense, Embedding, LSTM


@dataclasses.dataclass(frozen=True)
class HalfDense(Dense):
    """Its gradient has lost a factor."""

    def backward(self, x, W, dy, dW, db, dx):
        super().backward(x, W, dy, dW, db, dx)
        dW *= 0.5


def build(ids, vocab_size):
    return HalfDense(vocab_size, name="half")(LSTM(4)(Embedding(4)(ids)))
'''


def test_check_ends_with_five_where_a_gradient_is_wrong(minidl: Command, project: Path) -> None:
    Path("models").mkdir()
    Path("models/wrong.py").write_text(WRONG)
    said = minidl("check", "tiny.yaml", "model={type: wrong}")
    assert said.code == NumericsError.exit_code == 5
    assert "the layer 'half' (HalfDense, " in said.err
    assert "the gradient dW is" in said.err


@pytest.mark.parametrize(("lengths", "steps"), [(True, 20), (False, STEPS)])
def test_check_takes_all_steps_where_there_are_lengths(lengths: bool, steps: int) -> None:
    arrays = {"x": np.zeros((20, 30, 2)), "targets": np.zeros((20, 30), int)}
    arrays |= {"lengths": np.full(30, 20)} if lengths else {}
    assert few(from_arrays(arrays))["x"].shape == (steps, STREAMS, 2)


def test_runs_lists_runs_and_compares_some(minidl: Command, project: Path) -> None:
    head, *rows = minidl("runs").out.splitlines()
    assert head.split() == ["run", "state", "step", "best", "val", "loss", "at", "step", "test", "loss", "seconds"]
    assert [row.split()[:3] for row in rows] == [["tiny/001", "done", "4"], ["tiny/002", "done", "4"]]
    assert minidl("runs", "tiny").out == minidl("runs").out
    compared = minidl("runs", "tiny/001", "runs/tiny/002").out
    assert "run                 tiny/001  tiny/002" in compared
    assert [line.split() for line in compared.splitlines()][-1] == ["optimizer.lr", "0.001", "0.01"]
    rows = [json.loads(row) for row in minidl("runs", "tiny/001", "tiny/002", "--json").out.splitlines()]
    assert [row["optimizer.lr"] for row in rows] == [1e-3, 1e-2]
    for number, row in enumerate(rows, 1):
        records = [json.loads(line) for line in Path(f"runs/tiny/00{number}/metrics.jsonl").read_text().splitlines()]
        measured = {record["step"]: record["val/accuracy"] for record in records if "val/accuracy" in record}
        assert row["val/accuracy"] == measured[row["at_step"]]
        assert row["test/bits_per_char"] == records[-1]["test/bits_per_char"]


def test_runs_takes_folders_as_they_are(minidl: Command, project: Path) -> None:
    """One is half written, one is damaged, one was killed."""
    with open("runs/tiny/001/metrics.jsonl", "a") as file:
        file.write('{"step": 5, "val/lo')
    Path("runs/tiny/002/metrics.jsonl").unlink()
    Path("runs/tiny/002/resolved.yaml").write_text("a: [")
    Path("runs/tiny/003").mkdir()
    write_whole("runs/tiny/003/run.json", b'{"state": "running"}')
    said = minidl("runs", "tiny/001", "tiny/002", "tiny/003")
    assert said.code == 0
    assert "done" in said.out
    assert "interrupted" in said.out


def test_runs_without_runs(minidl: Command, project: Path) -> None:
    said = minidl("runs", "--runs", "nowhere")
    assert said == (0, "", f"minidl: no runs in {project}/nowhere yet: minidl run EXPERIMENT.yaml makes one\n")
    said = minidl("runs", "tiny/007")
    assert said.code == 4
    assert "there is no run 'tiny/007'" in said.err


def test_schema_goes_to_stdout_or_a_file(minidl: Command, project: Path) -> None:
    out = minidl("schema").out
    assert "minidl experiment" in json.loads(out)["title"]
    assert minidl("schema", "--out", "schema.json") == (0, "", "")
    assert Path("schema.json").read_text() == out
    assert minidl("schema", "--out", "no/schema.json").code == 74


def test_new_makes_a_project_that_runs_at_once_from_any_folder(
    minidl: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = minidl("new", "my projects/one")
    assert said.out == "made my projects/one; next: minidl run 'my projects/one/experiments/first.yaml'\n"
    monkeypatch.chdir("/")
    home = tmp_path / "my projects/one"
    assert (home / "README.md").read_text().startswith("# one\n")
    for name in ("first", "second", "table"):
        path = home / f"experiments/{name}.yaml"
        assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
        briefly = ["train={steps: 2, evaluate_every: null}", "log.tensorboard=false"]
        said = minidl("run", path, *briefly, "--runs", tmp_path / "runs")
        assert said.code == 0, said.err
        assert f"the run lies in {tmp_path}/runs/{name}/001" in said.out
    assert json.loads((home / "experiments/schema.json").read_text())["title"] == "minidl experiment"
    assert minidl("check", home / "experiments/second.yaml").code == 0


def test_new_here(minidl: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert minidl("new", ".").out == "made .; next: minidl run experiments/first.yaml\n"


# How commands end


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", "tiny.yaml", "data.source=nowhere.txt"], 3, "command line:1:6: no file at"),
        (["run", "tiny.yaml", "data.batch_size=900"], 3, "too few for 900 streams"),
        (["run", "tiny.yaml", "--runs", "book.txt"], 74, "no run folder can be made"),
        (["sample", "book.txt"], 4, "book.txt"),
        (["new", "book.txt/project"], 74, "Not a directory"),
        (["new", "/proc/project"], 74, "/proc/project"),
    ],
)
def test_exit_codes(minidl: Command, project: Path, words: Sequence[str], code: int, says: str) -> None:
    said = minidl(*words)
    assert said.code == code, said.err
    assert says in said.err


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (MemoryError("Unable to allocate 4 TiB"), 2, "out of memory: Unable to allocate 4 TiB; lower batch_size"),
        (PermissionError(13, "Permission denied", "/root/x"), 74, "minidl runs: /root/x: Permission denied"),
        (OSError("strange"), 74, "minidl runs: strange"),
        (KeyboardInterrupt(), 130, "minidl runs: interrupted"),
    ],
)
def test_errors_of_the_system_become_messages(
    minidl: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, says: str
) -> None:
    """Whatever a verb was doing when they came."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("minidl.experiment.run.overview.find", fail)
    said = minidl("runs")
    assert said.code == code
    assert says in said.err


def test_messages_go_to_what_is_stderr_at_that_time(minidl: Command, capsys: pytest.CaptureFixture[str]) -> None:
    minidl("runs", "--runs", "nowhere")
    for _ in range(2):
        logging.getLogger("minidl").warning("once")
    assert capsys.readouterr().err == "minidl: once\nminidl: once\n"


def test_json_is_printed_at_one_place_which_knows_no_nan() -> None:
    """By all verbs but `schema`, which prints a file."""
    found = json_output.json_line({"loss": float("nan"), "bounds": [1.5, (float("inf"), float("-inf"))]})
    assert found == '{"loss": null, "bounds": [1.5, [null, null]]}'
    verbs = Path(json_output.__file__).parent.glob("*.py")
    assert {path.name for path in verbs if "json.dumps" in path.read_text()} == {"json_output.py", "schema.py"}
