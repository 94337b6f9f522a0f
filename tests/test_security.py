"""What docs/security.md promises of processes and the network, observed from outside by Python's audit events."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from runs import write_experiment

ROOT = Path(__file__).parent.parent
# Every event that opens a connection, starts a program, or makes code out of data; `exec` is how modules are imported.
FORBIDDEN = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "pickle.find_class",
)
WATCHED = """
import sys
def watch(event, arguments):
    if event.startswith({forbidden}):
        raise SystemExit(f"forbidden: {{event}} {{arguments}}")
from minidl.cli.main import main
sys.addaudithook(watch)
for words in {commands}:
    code = main(words)
    assert code == 0, (words, code)
"""
NETWORK = ("socket", "ssl", "urllib.request", "http", "ftplib", "requests", "asyncio", "subprocess", "multiprocessing")
ALLOWED = {
    "data/sources/download.py": {"urllib.request", "ssl", "http.client"},
    "callbacks/tensorboard/events/records.py": {"socket"},  # the host's name
    # The jobs of a sweep: this program, several times.
    **{key: {"multiprocessing"} for key in ("cli/jobs.py", "cli/sweep.py", "experiment/sweep/report_trial.py")},
}


def watched(folder: Path, *commands: list[str]) -> subprocess.CompletedProcess[str]:
    code = WATCHED.format(forbidden=FORBIDDEN, commands=commands)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MINIDL_KERNELS": "numpy"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_run_opens_no_connection(tmp_path: Path) -> None:
    write_experiment(tmp_path, log={"every": {"steps": 2}, "tensorboard": True, "histograms_every": None})
    commands = [
        *(["run", "tiny.yaml", "train.steps=6"], ["run", "tiny.yaml", "--resume", "train.steps=9"]),
        *(["verify", "tiny"], ["sample", "tiny", "--length", "5"], ["evaluate", "tiny"], ["inspect", "tiny"], ["runs"]),
    ]
    done = watched(tmp_path, *commands)
    assert done.returncode == 0, done.stderr


def test_a_connection_would_be_noticed(tmp_path: Path) -> None:
    address = "{url: 'http://127.0.0.1:9/text', sha256: '" + "0" * 64 + "'}"
    write_experiment(tmp_path)
    done = watched(tmp_path, ["run", "tiny.yaml", f"data.source={address}"])
    assert "forbidden: socket." in done.stderr


def test_only_downloads_know_the_network() -> None:
    package = ROOT / "minidl"
    for path in sorted(package.rglob("*.py")):
        known = {name for name in imported(ast.parse(path.read_text())) if name.startswith(NETWORK)}
        assert known <= ALLOWED.get(str(path.relative_to(package)), set()), path


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
