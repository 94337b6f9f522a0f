"""What a run has recorded, as Python and notebooks read it: a table, and curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.experiment.run.overview import find, records, summary, title
from minidl.graph.summary import cell_text, html_table
from minidl.storage.run_folder import RunFolder
from minidl.system.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OTHERS = ("step", "epoch", "seconds")  # of a record, beside its measures


class Run:
    """A run that lies in a folder: NAME (the newest of that name), NAME/NUMBER, or its path.

    runs: where runs lie. Raises CheckpointError where there is no such run.
    """

    def __init__(self, name: str | Path, runs: str | Path = "runs") -> None:
        self._folder: RunFolder = find(Path(runs), [str(name)])[-1]
        self.path = self._folder.path

    def __repr__(self) -> str:
        return f"Run({title(self._folder)!r}, {self._folder.state})"

    def _repr_html_(self) -> str:
        facts = self.summary
        return html_table([list(facts), list(map(cell_text, facts.values()))])

    @property
    def summary(self) -> dict[str, Any]:
        """State, steps, best validation loss and test loss, as `minidl runs` shows them."""
        return summary(self._folder)

    def records(self) -> list[dict[str, float]]:
        """What was measured, a mapping for each time: step, epoch, seconds, and values by tag."""
        return records(self.path / "metrics.jsonl")

    def to_pandas(self) -> Any:
        """The records as a data frame, a column for each tag; NaN where a tag was not measured."""
        try:
            import pandas
        except ModuleNotFoundError:
            raise UsageError("a data frame needs pandas: pip install pandas") from None
        return pandas.DataFrame(self.records())

    def plot(self, tags: Sequence[str] | None = None) -> Figure:
        """Curves over steps, one chart for each measure with training and validation in it.

        tags: which; the losses and what the validation part was measured by, where it is None.
        """
        try:
            from matplotlib.figure import Figure
        except ModuleNotFoundError:
            raise UsageError("curves need matplotlib: pip install 'minidl[view]'") from None
        found = self.records()
        known = list(dict.fromkeys(tag for record in found for tag in record if tag not in OTHERS))
        chosen = list(tags) if tags is not None else _shown(known)
        missing = [tag for tag in chosen if tag not in known]
        if missing or not chosen:
            raise UsageError(f"{self.path} has no {', '.join(missing) or 'measures'} (it has: {', '.join(known)})")
        measures = list(dict.fromkeys(tag.partition("/")[2] for tag in chosen))
        figure = Figure(figsize=(7, 2.6 * len(measures)), layout="constrained")
        grid = figure.subplots(len(measures), squeeze=False)
        for axes, measure in zip(grid[:, 0], measures, strict=True):
            for tag in (tag for tag in chosen if tag.partition("/")[2] == measure):
                points = [(record["step"], record[tag]) for record in found if tag in record]
                axes.plot(*zip(*points, strict=True), marker="." if len(points) < 60 else None, label=tag)
            axes.set_xlabel("step")
            axes.set_ylabel(measure)
            axes.legend()
        return figure


def _shown(known: Sequence[str]) -> list[str]:
    measures = [tag.partition("/")[2] for tag in known if tag.startswith("val/")] or ["loss"]
    return [tag for tag in known if tag.partition("/")[0] in ("train", "val") and tag.partition("/")[2] in measures]
