"""Units that tell a feature apart: the features of a text, the measure, and the command that ranks them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import write_experiment

from minidl.cli.main import main
from minidl.explain.cells import rank_units, text_features

TEXT = 'def f(x):\n    return "a (b" + g[1]  # It\'s C'


def feature(name: str, text: str = TEXT) -> str:
    (found,) = [values for names, values in text_features(list(text)).items() if names[0] == name]
    return "".join("^" if value else " " for value in found)


def test_features_of_a_text() -> None:
    lines = TEXT.replace("\n", "⏎")
    assert feature("inside quotes") == " " * lines.index('"') + "^^^^^" + " " * (len(lines) - lines.index('"') - 5)
    assert feature("digit").index("^") == lines.index("1")
    assert feature("capital").count("^") == 2
    inside = feature("inside brackets")
    assert [place for place, mark in enumerate(inside) if mark == "^"] == [
        lines.index("("), lines.index("x"), lines.index("["), lines.index("1")
    ]  # fmt: skip
    (columns,) = [v for names, v in text_features(list(TEXT)).items() if names[0] == "position in the line"]
    assert columns[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, -1, 0, 1]


@given(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=30))
def test_features_are_found_for_any_symbols(symbols: list[str]) -> None:
    assert {len(values) for values in text_features(symbols).values()} == {len(symbols)}


def test_a_unit_that_counts_is_found_among_others() -> None:
    rng = np.random.default_rng(0)
    quoted = rng.random(400) < 0.3
    states = {"first": rng.standard_normal((400, 6)), "second": rng.standard_normal((400, 6))}
    states["second"][:, 4] -= 9 * quoted
    best = rank_units(states, {("quoted", "citado"): quoted, ("never", "nunca"): np.zeros(400)})
    assert [found.name[0] for found in best] == ["quoted"]
    layer, unit, score = best[0].units[0]
    assert (layer, unit) == ("second", 4)
    assert score == pytest.approx(-np.sqrt(3 * 0.3 * 0.7), abs=0.05)  # the highest that two values can reach


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--runs", str(tmp_path / "runs")]
    path = write_experiment(tmp_path, train__steps=1)
    assert main(["run", str(path), "name=celled", *words]) == 0
    capsys.readouterr()
    assert main(["cells", "celled", *words]) == 0
    assert capsys.readouterr().out.startswith("feature ")
    assert main(["cells", "celled", "--most", "2", "--json", *words]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found
    assert all(len(line["units"]) == 2 for line in found)
