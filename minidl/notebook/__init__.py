"""For notebooks: the page of a model in a cell, figures of its gates, influence and weights, and a table of runs.

    from minidl.notebook import plot_gates, plot_influence, plot_weights, run, runs, view

A model is given as a `Model`, or as the name of a run, a run folder or a model file, as on the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from minidl.exchange.html import Sample, page
from minidl.explain import Subject, figures
from minidl.graph.arrays import Array
from minidl.graph.summary import cell_text, html_table
from minidl.model import Model
from minidl.storage.atomic import write_whole
from minidl.system.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from minidl.experiment.run.history import Run

__all__ = ["Page", "Runs", "plot_gates", "plot_influence", "plot_weights", "run", "runs", "view"]

Given = Model | str | Path
HEIGHT = 760  # pixels of a page in a cell


@dataclass(frozen=True)
class Page:
    """A page that runs a model: a notebook shows it, `save` writes it to a file."""

    html: str
    height: int = HEIGHT

    def save(self, path: str | Path) -> None:
        """Write the page."""
        write_whole(path, self.html.encode("utf-8"))

    def _repr_html_(self) -> str:
        """The page in a frame of its own, which may run its script and nothing else."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" '
            f'style="width:100%;height:{self.height}px;border:1px solid #ccc"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<Page, {len(self.html):,} characters>"


def view(model: Given, text: str | None = None, *, height: int = HEIGHT) -> Page:
    """The page that runs a model, which first reads this text.

    >>> from minidl import Input, Model
    >>> from minidl.layers import LSTM, Dense
    >>> view(Model(outputs={"y": Dense(1)(LSTM(2)(Input("x", depth=1)))}), "1\\n2\\n3").html[:15]
    '<!doctype html>'
    """
    if isinstance(model, Model):
        subject = Subject.of(model.replica())
        about = f"{model.weights.flat.size:,} parameters"
        return Page(page(subject, "model", about, Sample(text or "")), height)
    looking = _looking(model)
    return Page(page(looking.subject, looking.name, looking.about, looking.sample(text)), height)


def plot_gates(model: Given, sequence: str | ArrayLike, layer: str | None = None) -> Figure:
    """Gates, cell state and output of a recurrent layer while it reads a text, or numbers (T, F)."""
    subject = _subject(model)
    return figures.plot_gates(subject, _read(subject, sequence), layer)


def plot_influence(model: Given, sequence: str | ArrayLike, step: int = -1, answer: str | None = None) -> Figure:
    """What each step adds to the answer after a step, and the influence by lag.

    answer: which symbol, class or column; None for what came, or the most likely.
    """
    subject = _subject(model)
    entry = None if answer is None else subject.entry(answer)
    return figures.plot_influence(subject, _read(subject, sequence), step, entry)


def plot_weights(model: Given, layer: str | None = None) -> Figure:
    """The weights of a recurrent layer, gate by gate."""
    return figures.plot_weights(_subject(model), layer)


@dataclass(frozen=True)
class Runs:
    """Runs with their state and what they measured, a row each; a notebook shows a table."""

    rows: Sequence[Mapping[str, Any]]

    def _repr_html_(self) -> str:
        head = list(self.rows[0]) if self.rows else ["no runs"]
        return html_table([head, *([cell_text(row[name]) for name in head] for row in self.rows)])

    def to_pandas(self) -> Any:
        """The same as a data frame."""
        try:
            import pandas
        except ModuleNotFoundError:
            raise UsageError("a data frame needs pandas: pip install pandas") from None
        return pandas.DataFrame(list(self.rows))

    def __repr__(self) -> str:
        return "\n".join(", ".join(f"{name} {cell_text(value)}" for name, value in row.items()) for row in self.rows)


def runs(folder: str | Path = "runs", names: Sequence[str] = ()) -> Runs:
    """The runs in a folder, or those of some experiments."""
    from minidl.experiment.run.overview import find, summary  # reads experiments: slower to import than the rest

    return Runs([summary(found) for found in find(Path(folder), list(names))])


def run(name: str | Path, folder: str | Path = "runs") -> Run:
    """A run by NAME, NAME/NUMBER or its path: `run("char_lstm").plot()` draws its curves."""
    from minidl.experiment.run.history import Run  # reads experiments: slower to import than the rest

    return Run(name, folder)


def _subject(model: Given) -> Subject:
    return Subject.of(model.replica()) if isinstance(model, Model) else _looking(model).subject


def _looking(run: str | Path) -> Any:
    from minidl.experiment.run.looking import Looking  # reads experiments: slower to import than the rest
    from minidl.storage.run_folder import model_file

    return Looking(model_file(str(run), Path("runs")))


def _read(subject: Subject, sequence: str | ArrayLike) -> Array:
    if isinstance(sequence, str):
        return subject.ids(subject.symbols(sequence))
    return np.asarray(sequence)
