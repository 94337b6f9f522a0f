"""A real yaml-language-server, as editors have it, marks what is wrong with an experiment at the right line.

It is not a package of Python: `npm install -g yaml-language-server`, or its path in YAML_LANGUAGE_SERVER.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minidl.experiment.build.json_schema import experiment_schema

SERVER = os.environ.get("YAML_LANGUAGE_SERVER") or shutil.which("yaml-language-server")
SOUND = """name: lstm
seed: 0
data:
  type: text
  source: pydoc_topics
  tokens: char
  split: [0.9, 0.05, 0.05]
  batch_size: 4
model:
  layers:
    - {type: OneHot}
    - {type: LSTM, units: 8}
    - {type: Dense, units: "${data.vocab_size}"}
loss: {type: SoftmaxCE}
optimizer:
  type: Adam
  lr: {type: cosine, peak: 0.01}
  clip_norm: 1.0
train:
  epochs: 2
  state: carry
  evaluate_every: {epochs: 1}
log:
  every: {steps: 50}
"""
SPOILED = [
    ("seed: 0", "sed: 0"),
    ("batch_size: 4", "batchsize: 4"),
    ("batch_size: 4", "batch_size: 0"),
    ("tokens: char", "tokens: chars"),
    ("type: text", "type: txt"),
    ("source: pydoc_topics", "source: {}"),
    ("split: [0.9, 0.05, 0.05]", "split: [0.9, 0.1]"),
    ("{type: LSTM, units: 8}", "{type: LTSM, units: 8}"),
    ("{type: LSTM, units: 8}", "{type: LSTM, units: -8}"),
    ("{type: LSTM, units: 8}", "{type: LSTM, units: 8, inputs: []}"),
    ("{type: LSTM, units: 8}", "{type: LSTM, units: 8, name: 'a b'}"),
    ("clip_norm: 1.0", "clip_norm: yes please"),
    ("state: carry", "state: keep"),
    ("evaluate_every: {epochs: 1}", "evaluate_every: {epochs: 1, steps: 2}"),
    ("every: {steps: 50}", "every: {stesp: 50}"),
]


class Server:
    """The language server, spoken to as an editor does."""

    def __init__(self, folder: Path) -> None:
        command = ["node", str(SERVER), "--stdio"] if str(SERVER).endswith(".js") else [str(SERVER), "--stdio"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
        self.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}}, number=1)
        while self.hear().get("id") != 1:
            pass
        self.ask("initialized", {})
        self.header = f"# yaml-language-server: $schema={(folder / 'schema.json').as_uri()}\n"

    def ask(self, method: str, params: Any, number: int | None = None) -> None:
        """Send a request, or without a number a notice."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self._send(message if number is None else {**message, "id": number})

    def _send(self, message: Any) -> None:
        raw = json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(raw) + raw)
        self.process.stdin.flush()

    def hear(self) -> Any:
        """What the server says next; what it asks is answered with nothing."""
        assert self.process.stdout is not None
        length = 0
        while (line := self.process.stdout.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message = json.loads(self.process.stdout.read(length))
        if "method" in message and "id" in message:
            asked = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
            self._send({"jsonrpc": "2.0", "id": message["id"], "result": [None] * len(asked) or None})
        return message

    def marks(self, uri: str, text: str) -> list[tuple[int, str]]:
        """The lines that are marked, below the line that names the schema, from 0, and what is said."""
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": self.header + text}
        self.ask("textDocument/didOpen", {"textDocument": document})
        while True:
            message = self.hear()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                found = message["params"]["diagnostics"]
                return [(mark["range"]["start"]["line"] - 1, mark["message"]) for mark in found]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows the schema."""
    if SERVER is None:
        pytest.skip("needs yaml-language-server")
    folder = tmp_path_factory.mktemp("editor")
    (folder / "schema.json").write_text(json.dumps(experiment_schema()))
    found = Server(folder)
    yield found
    found.process.kill()
    found.process.communicate()


def test_a_sound_file_has_no_mark(server: Server) -> None:
    assert server.marks("file:///sound.yaml", SOUND) == []


@pytest.mark.parametrize(("old", "new"), SPOILED, ids=[new for _, new in SPOILED])
def test_a_spoiled_file_is_marked_at_its_line(server: Server, old: str, new: str) -> None:
    text = SOUND.replace(old, new, 1)
    line = text[: text.index(new)].count("\n")
    marks = server.marks(f"file:///spoiled{SPOILED.index((old, new))}.yaml", text)
    assert marks, "not marked"
    assert {at for at, _ in marks} == {line}, marks
