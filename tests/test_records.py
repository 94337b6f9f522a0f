"""Records of quality and docs/results.md: files that read, data that are always the same, numbers that agree."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from minidl.cli.main import main
from minidl.experiment.run.reproduce import expecting
from minidl.experiment.yaml.document import load

ROOT = Path(__file__).parent.parent
QUALITY = ROOT / "benchmarks" / "quality"
RESULTS = (ROOT / "docs" / "results.md").read_text()
sys.path.insert(0, str(QUALITY))

from test_schema import SCHEMA, fits  # noqa: E402

RECORDS = sorted(QUALITY.glob("*.yaml"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_reads_and_says_what_it_comes_to(path: Path) -> None:
    tree = load(path).tree
    expect = tree["expect"]
    assert fits(tree, SCHEMA)
    assert {"measures", "seeds", "minutes", "processor"} <= set(expect)
    assert f"`{path.stem}`" in RESULTS
    for expected, tolerance in expect["measures"].values():
        assert 0 < tolerance < expected
        assert re.search(rf"\b{re.escape(f'{expected:g}')}", RESULTS), "expect and docs/results.md say the same"


def test_all_records_are_reproduced_together() -> None:
    assert list(expecting(QUALITY)) == RECORDS


def test_a_shipped_experiment_is_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "experiments" / "series_lorenz.yaml")
    short = ["train.steps=2", "data.seq_len=20", "expect.seeds=[0]", "log.tensorboard=false"]
    assert main(["reproduce", path, *short, "--runs", str(tmp_path)]) == 5  # two steps do not come to it
    assert "does not hold" in capsys.readouterr().err


def test_the_data_of_records_are_the_same_each_time() -> None:
    import make_data

    rows = make_data.mackey_glass().splitlines()
    assert rows[:3] == ["x", "1.011120", "0.960800"]
    assert len(rows) == 1 + make_data.ROWS
    assert 0.2 < min(map(float, rows[1:])) < 0.5 < 1.2 < max(map(float, rows[1:])) < 1.4
