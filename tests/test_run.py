"""Commands as processes: how long they take to begin, and what happens when nobody listens any more."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from runs import run

from minidl.experiment.yaml.document import load

ROOT = Path(__file__).parent.parent
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
TINY = """
data: {type: text, source: book.txt, batch_size: 4, seq_len: 8}
model: {type: own, units: 6}
loss: {type: SoftmaxCE}
train: {steps: 12, evaluate_every: {steps: 4}, sample_every: {steps: 1}}
sample: {length: 20, temperatures: [1.0]}
log: {every: {steps: 1}, histograms_every: null}
"""
OWN = '''"""A model with a layer of its own, which a process that samples has to find again."""

from __future__ import annotations

from dataclasses import dataclass

from minidl.layers import LSTM, Dense, OneHot


@dataclass(frozen=True)
class OwnDense(Dense):
    """As Dense."""


def build(ids, vocab_size: int, units: int):
    return OwnDense(vocab_size, name="logits")(LSTM(units)(OneHot()(ids)))
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "book.txt").write_text(TEXT)
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/own.py").write_text(OWN)
    return tmp_path


def start(folder: Path, words: Sequence[str], **streams: object) -> subprocess.Popen[bytes]:
    """`python -m minidl.run` for an experiment, `python -m minidl` for anything else."""
    module = "minidl.run" if words[0].endswith(".yaml") or words[0] == "--help" else "minidl"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONUNBUFFERED", None)  # what is buffered is what can get lost
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen([sys.executable, "-m", module, *words], cwd=folder, env=environment, **options)  # type: ignore[call-overload, no-any-return]


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def state(folder: Path) -> tuple[str, int]:
    facts = json.loads((folder / "runs/tiny/001/run.json").read_text())
    return facts["state"], facts["step"]


def test_a_run_leaves_what_the_readme_says_and_its_model_is_found_again(folder: Path) -> None:
    code, out, err = finish(start(folder, ["tiny.yaml", "train.sample_every.steps=6", "optimizer.lr=1e-2"]))
    assert code == 0, err
    assert out.endswith(
        "done: the run lies in runs/tiny/001\nview it with: tensorboard --logdir runs\nsee it think: minidl view tiny\n"
    )
    assert "--- step 6, sample/temperature_1 ---" in out
    assert re.search(r"^step 12/12 .* train/loss \d", err, re.MULTILINE)
    run = folder / "runs/tiny/001"
    names = {path.name.split(".")[0] if path.name.startswith("events") else path.name for path in run.iterdir()}
    files = {"experiment.yaml", "resolved.yaml", "run.json", "metrics.jsonl", "samples.txt", "checkpoints", "models"}
    assert names >= {*files, "events"}
    assert (run / "experiment.yaml").read_text() == TINY
    assert load(run / "resolved.yaml").tree["optimizer"]["lr"] == 1e-2
    assert {"best", "last"} <= {path.name for path in (run / "checkpoints").iterdir()}
    facts = json.loads((run / "run.json").read_text())
    assert facts["arguments"] == ["tiny.yaml", "train.sample_every.steps=6", "optimizer.lr=1e-2"]
    assert {"versions", "seed", "data_sha256", "processor"} <= facts.keys()
    tags = {tag for line in (run / "metrics.jsonl").read_text().splitlines() for tag in json.loads(line)}
    measures = {"loss", "bits_per_char", "accuracy"}
    assert tags >= {f"{part}/{measure}" for part in ("train", "val", "test") for measure in measures}
    assert tags >= {"step", "epoch", "seconds", "train/lr", "train/grad_norm", "train/tokens_per_second"}
    code, out, err = finish(start(folder, ["sample", "tiny", "--prime", "the ", "--length", "5"]))
    assert code == 0, err
    assert len(out) == len("the ") + 5 + 1


def test_training_outlives_its_reader(folder: Path) -> None:
    """As `| head -1` would leave it; without a word of that, and with the exit code that it has by itself."""
    process = start(folder, ["tiny.yaml", "train.steps=1000000"])
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    while b"step 5/" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 130
    assert all(line.startswith(("step ", "minidl: interrupted")) for line in err.splitlines() if line), err
    assert state(folder)[0] == "interrupted"


def test_training_outlives_both_its_readers(folder: Path) -> None:
    """As `2>&1 | head -1` would leave it."""
    process = start(folder, ["tiny.yaml"], stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert state(folder) == ("done", 12)


def test_a_full_disk_behind_stdout_is_told_at_the_end(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        code, _, err = finish(start(folder, ["tiny.yaml"], stdout=full))
    assert code == 74
    assert err.endswith("python -m minidl.run: stdout: No space left on device\n")
    assert "Traceback" not in err
    assert state(folder) == ("done", 12)
    with open("/dev/full", "w") as full:
        code, _, err = finish(start(folder, ["runs"], stdout=full))
    assert (code, err) == (74, "minidl runs: stdout: No space left on device\n")


def test_other_commands_end_when_nobody_reads(folder: Path) -> None:
    assert run(folder, "tiny.yaml", "train.steps=2").code == 0
    process = start(folder, ["sample", "tiny", "--length", "100000000"])
    assert process.stdout is not None
    assert len(process.stdout.read(10)) == 10
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 0


def test_characters_come_as_they_are_drawn_whatever_the_encoding(folder: Path) -> None:
    (folder / "book.txt").write_text("äöü ß€𝄞\n" * 200)
    assert run(folder, "tiny.yaml", "train.steps=2").code == 0
    process = start(folder, ["sample", "tiny", "--chat", "--length", "8"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(2):  # a conversation: the answer is there before the next line is typed
        process.stdin.write("äö\n".encode())
        process.stdin.flush()
        assert process.stdout.readline()
    assert finish(process)[0] == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "minidl", "sample", "tiny", "--length", "40", "--prime", "ö"]
    out = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True).stdout
    assert len(out.decode("ascii")) == 42


def test_a_terminal_shows_a_bar_and_a_pipe_shows_lines(folder: Path) -> None:
    terminal, end = pty.openpty()
    process = start(folder, ["tiny.yaml", "train.sample_every=null"], stderr=end)
    os.close(end)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        shown += part
        if not part:
            break
    os.close(terminal)
    assert finish(process)[0] == 0
    assert "12/12" in shown.decode()
    assert b"\x1b[" in shown
    assert b"train/loss" not in shown


def test_the_console_script_and_the_module_are_one(folder: Path) -> None:
    code, out, err = finish(start(folder, ["runs"]))
    assert (code, out) == (0, "")
    assert "no runs in" in err


def test_help_comes_quickly_without_numpy(folder: Path) -> None:
    """In 0.3 seconds: of processor time, and the best of three, for other things run on this machine too."""
    assert min(processor_seconds(folder) for _ in range(3)) < 0.3
    imported = "print({'numpy', 'pydantic'} & set(sys.modules))"
    code = f"import sys; from minidl.cli.main import main; main(['--help']); {imported}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout
    assert out.decode().endswith("set()\n")


def processor_seconds(folder: Path) -> float:
    before = os.times()
    code, out, _ = finish(start(folder, ["--help"]))
    after = os.times()
    assert code == 0
    assert "usage: python -m minidl.run" in out
    return after.children_user + after.children_system - before.children_user - before.children_system
