"""What a notebook shows: the page of a model in a frame, figures, tables of models and runs."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from runs import write_experiment
from subjects import forecaster, lstm

from minidl.cli.main import main
from minidl.notebook import Runs, plot_gates, plot_influence, plot_weights, run, runs, view
from minidl.system.errors import UsageError


def test_a_page_stands_in_a_frame(tmp_path: Path) -> None:
    shown = view(lstm().model, "ab")
    found = re.fullmatch(
        r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" style="[^"]*"></iframe>', shown._repr_html_()
    )
    assert found is not None
    assert unescape(found.group(1)) == shown.html
    shown.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == shown.html


def test_figures_are_shown_where_they_are_returned() -> None:
    pytest.importorskip("matplotlib")
    model = lstm().model
    for figure in (plot_gates(model, "ab<é"), plot_influence(model, "ab<é", answer="b"), plot_weights(model)):
        assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert plot_gates(forecaster().model, np.ones((7, 2))).axes
    with pytest.raises(UsageError, match="there is no answer 'zz'"):
        plot_influence(model, "ab", answer="zz")


def test_models_and_runs_are_tables(tmp_path: Path) -> None:
    assert "<td>LSTM</td>" in lstm().model._repr_html_()
    assert main(["run", str(write_experiment(tmp_path, train__steps=1)), "--runs", str(tmp_path / "runs")]) == 0
    found = runs(tmp_path / "runs")
    assert len(found.rows) == 1
    assert found._repr_html_().startswith("<table><tr><th>")
    one = run("tiny", tmp_path / "runs")._repr_html_()
    assert "<th>state</th>" in one
    assert "<td>done</td>" in one
    assert "<script>" not in Runs([{"<script>": 1.0}])._repr_html_()
