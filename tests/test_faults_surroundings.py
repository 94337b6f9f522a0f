"""An installation to read only, a user without name, home and cache: what need not write works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from runs import write_experiment

import minidl

USER = 54321  # whom nobody knows here
PACKAGE = Path(minidl.__file__).parent
WORK = """
import json, numpy, os, sys
print("begun", flush=True)
from minidl.cli.main import main
assert not os.access(os.path.dirname(sys.modules["minidl"].__file__), os.W_OK)
for words in json.loads(sys.argv[1]):
    print("code", main(words), *words[:1], file=sys.stderr, flush=True)
"""


def as_nobody(folder: Path, *commands: list[str]) -> tuple[list[str], str]:
    """How these commands end for a user of no name, without a home; and what they say."""
    environment = {"PATH": "/usr/bin:/bin", "MINIDL_KERNELS": "numpy"}
    packages = [path for path in sys.path if Path(path).name == "site-packages"]
    environment["PYTHONPATH"] = os.pathsep.join([str(PACKAGE.parent), *packages])
    for python in (sys.executable, shutil.which("python{}.{}".format(*sys.version_info), path="/usr/bin:/bin")):
        try:
            ended = subprocess.run(
                [str(python), "-W", "error", "-c", WORK, json.dumps(commands)],
                cwd=folder,
                env=environment,
                user=USER,
                group=USER,
                extra_groups=[],
                capture_output=True,
                text=True,
                timeout=120,
            )
        except OSError:
            continue
        if "begun" in ended.stdout:
            break
    else:
        pytest.skip("this Python, or what is installed for it, can only be read by its owner")
    codes = [line.removeprefix("code ") for line in ended.stderr.splitlines() if line.startswith("code ")]
    return codes, ended.stderr


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can be somebody else")
def test_what_need_not_write_works_without_home_and_cache() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_experiment(folder, train__steps=2)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
        source = 'data.source={url: "http://127.0.0.1:9/x", sha256: "' + "0" * 64 + '"}'
        codes, said = as_nobody(
            folder,
            ["run", "tiny.yaml"],
            ["sample", "tiny", "--length", "5"],
            ["export", "tiny", "--format", "html", "--out", "page.html"],
            ["run", "tiny.yaml", "--dry-run", source],
            ["run", "tiny.yaml", "--runs", "/proc/runs"],
        )
        assert codes == ["0 run", "0 sample", "0 export", "74 run", "74 run"], said
        assert "there is no home folder to keep downloads in: set XDG_CACHE_HOME" in said
        assert "/proc/runs/tiny: no run folder can be made" in said
        assert (folder / "page.html").stat().st_uid == USER
