"""Commands on a terminal, with somebody at the keys: colours, and a chat."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from minidl.cli.main import main

ROOT = Path(__file__).parent.parent
SECONDS = 60
PATIENCE = 3  # seconds: a key may have been pressed before it was waited for
TINY = """
data: {type: text, source: book.txt, batch_size: 4, seq_len: 8}
model:
  layers:
    - {type: OneHot}
    - {type: LSTM, units: 6}
    - {type: Dense, units: "${data.vocab_size}"}
loss: {type: SoftmaxCE}
train: {steps: 2, sample_every: null}
log: {tensorboard: false}
"""
BOLD, RED, GREEN = "\x1b[1m", "\x1b[1;31m", "\x1b[32m"


class Terminal:
    """A process that has a terminal to itself; `seen` is what it has written there."""

    def __init__(self, words: Sequence[str], folder: Path, **environment: str) -> None:
        self._keys, self._screen = pty.openpty()
        # The first terminal that the leader of a session opens is the one whose Ctrl-C it gets.
        command = ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(self._screen)]
        wanted = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "200", **environment}
        command += [sys.executable, "-m", "minidl", *words]
        self._process = subprocess.Popen(command, cwd=folder, env=wanted, start_new_session=True)
        self.seen = ""

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._keys, keys.encode())

    def wait_for(self, pattern: str) -> None:
        """Read until a regular expression is found; what it has found is not looked at again."""
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.seen!r}"
            self._read()
        self.seen = self.seen[found.end() :]

    def end(self, pressing: str = "") -> int:
        """The exit code, when everything is read; a key is pressed until then, now and then, while it waits."""
        pressed = -PATIENCE
        deadline = time.monotonic() + SECONDS
        while self._process.poll() is None:
            assert time.monotonic() < deadline, self.seen
            if pressing and time.monotonic() > pressed + PATIENCE and self._waits():
                self.type(pressing)
                pressed = time.monotonic()
            self._read()
        while self._read():
            pass
        return self._process.returncode

    def close(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.wait()
        os.close(self._keys)
        os.close(self._screen)

    def _waits(self) -> bool:
        """Whether it sleeps: a signal between the prompt and the reading of a line is lost to readline."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
        return True

    def _read(self) -> bool:
        """Whether there was something to read."""
        if not select.select([self._keys], [], [], 0.1)[0]:
            return False
        self.seen += os.read(self._keys, 65536).decode(errors="replace")
        return True


Start = Callable[..., Terminal]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """`minidl ...` on a terminal."""
    with contextlib.ExitStack() as opened:

        def started(*words: str, **environment: str) -> Terminal:
            return opened.enter_context(contextlib.closing(Terminal(words, folder, **environment)))

        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "book.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 40)
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "bad.yaml").write_text(TINY.replace("units: 6", "unit: 6"))
    assert main(["run", str(folder / "tiny.yaml"), "--runs", str(folder / "runs")]) == 0
    return folder


@pytest.fixture
def chat(start: Start) -> Terminal:
    return start("sample", "tiny", "--chat", "--length", "1000000")


def test_ctrl_c_ends_an_answer_and_ctrl_d_the_chat(chat: Terminal) -> None:
    for line in ("the quick", "brown"):
        chat.wait_for("> ")
        chat.type(f"{line}\r")
        chat.wait_for(rf"{line}\r\n(.|\n)+")
        chat.type("\x03")
    chat.wait_for("\n(\x1b[^ ]*)?> ")
    chat.type("\x04")
    assert chat.end() == 0


def test_ctrl_c_at_the_prompt_ends_the_chat(chat: Terminal) -> None:
    chat.wait_for("> ")
    assert chat.end(pressing="\x03") == 130


def test_lines_can_be_recalled(chat: Terminal) -> None:
    pytest.importorskip("readline")
    chat.wait_for("> ")
    chat.type("lazy fox\r")
    chat.wait_for(r"lazy fox\r\n(.|\n)+")
    chat.type("\x03")
    chat.wait_for("\n(\x1b[^ ]*)?> ")
    chat.type("\x1b[A")  # the key that points up
    chat.wait_for("lazy fox")


def test_a_mistake_is_told_in_colours(start: Start) -> None:
    terminal = start("run", "bad.yaml", "optimizer.rl=1")
    assert terminal.end() == 2
    assert f"{BOLD}bad.yaml:6:20:\x1b[0m unknown name" in terminal.seen
    assert f"{GREEN}did you mean 'units'?\x1b[0m" in terminal.seen
    assert terminal.seen.count(f"{RED}{' ' * 19}^\x1b[0m") == 1


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_done_without(start: Start, environment: dict[str, str]) -> None:
    terminal = start("run", "bad.yaml", **environment)
    assert terminal.end() == 2
    assert "\x1b[3" not in terminal.seen
    assert "bad.yaml:6:20: unknown name 'unit'; did you mean 'units'?" in re.sub("\x1b[^m]*m", "", terminal.seen)


def test_states_of_runs_have_colours(start: Start) -> None:
    terminal = start("runs")
    assert terminal.end() == 0
    head, row = terminal.seen.splitlines()
    assert head.startswith(f"{BOLD}run ")
    assert row.split()[:2] == ["tiny/001", f"{GREEN}done\x1b[0m"]


def test_texts_do_not_command_the_terminal(start: Start, folder: Path) -> None:
    """Neither those of a run nor those of a model that somebody else has trained."""
    (folder / "hostile.txt").write_text("a\x1b]0;b\x07" * 200)
    sampled = ("train={steps: 2, sample_every: {steps: 2}}", "sample.length=100", "--runs=hostile")
    terminal = start("run", "tiny.yaml", "data.source=hostile.txt", *sampled)
    assert terminal.end() == 0
    assert "\\x1b" in terminal.seen
    assert not re.search(r"\x1b[^\[]|\x07", terminal.seen)
    terminal = start("sample", "hostile/tiny", "--prime", "\x1b]0;b\x07", "--length", "100")
    assert terminal.end() == 0
    assert terminal.seen.startswith(r"\x1b]0;b\x07")
    assert "\x1b" not in terminal.seen
