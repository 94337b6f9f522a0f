"""ShowProgress: a run as its user sees it; a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from minidl.callbacks.entry import entry
from minidl.callbacks.progress_lines import baselines, lines, time_left
from minidl.system.terminal import escape, unescaped, visible
from minidl.training.callback import Callback

if TYPE_CHECKING:
    from rich.progress import Progress

    from minidl.training.callback import Run


@dataclass(eq=False)
class ShowProgress(Callback):
    """Shows steps, speed, time left, loss, validation on stderr; samples, and with `as_json` each record, on stdout.

    title: what stands before the bar, such as the name of the run. with_texts: whether to show samples.
    """

    as_json: bool = field(default=False, kw_only=True)
    title: str = field(default="training", kw_only=True)
    with_texts: bool = field(default=True, kw_only=True)

    order = Callback.WRITE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._bar: Progress | None = None
        self._task: Any = None
        self._guesses = ""
        self._numbers = {"train": "", "val": "", "speed": ""}

    def start(self, trainer: Run) -> None:
        """Open the bar."""
        if self.as_json:
            self._say_json(trainer)
            return
        if sys.stderr.isatty() or _in_notebook():
            self._open(trainer)
        self._say_guesses(trainer)

    def step(self, trainer: Run) -> None:
        """Show what is new."""
        if self.as_json:
            self._say_json(trainer)
            return
        if self._bar is not None:
            self._move(self._bar, trainer)
        self._say_guesses(trainer)
        for part, line in lines(trainer).items():
            if self._bar is None or part != "train":  # which is in the bar
                self._note(line)
        for tag, text in trainer.texts.items() if self.with_texts else ():
            self._say(f"\n--- step {trainer.progress.step}, {tag} ---\n{text}")

    def finish(self, trainer: Run, *, completed: bool) -> None:
        """Show the end."""
        self.step(trainer)

    def close(self, trainer: Run) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()

    def _open(self, trainer: Run) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        title = TextColumn("{task.description}", style="bold", markup=False)
        numbers = TextColumn("{task.fields[numbers]}", markup=False)
        left = TextColumn("{task.fields[left]}", style="cyan", markup=False)
        columns = title, BarColumn(), MofNCompleteColumn(), numbers, left
        self._bar = Progress(*columns, console=Console(file=unescaped(sys.stderr)), redirect_stdout=False)
        self._task = self._bar.add_task(self.title, total=trainer.total_steps, numbers="", left="")
        self._bar.start()

    def _move(self, bar: Progress, trainer: Run) -> None:
        record, total = trainer.record, trainer.total_steps
        if "train/loss" in record:
            self._numbers["train"] = f"loss {record['train/loss']:.3f}"
            self._numbers["speed"] = f"{record['train/tokens_per_second'] / 1000:.1f}k tokens/s"
        if "val/loss" in record:
            self._numbers["val"] = f"val {record['val/loss']:.3f}"
        numbers = "  ".join(filter(None, self._numbers.values()))
        bar.update(self._task, completed=trainer.progress.step, total=total, numbers=numbers, left=time_left(trainer))

    def _say_guesses(self, trainer: Run) -> None:
        """What guessing achieves, once."""
        if not self._guesses and (text := baselines(trainer.record)):
            self._guesses = text
            self._note(text)

    def _note(self, line: str) -> None:
        """A line on stderr."""
        if self._bar is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._bar.console.print(escape(line), markup=False)

    def _say(self, text: str) -> None:
        """A text on stdout."""
        text = visible(text, sys.stdout)
        if self._bar is not None and sys.stdout.isatty():
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, flush=True)

    def _say_json(self, trainer: Run) -> None:
        if trainer.record or trainer.texts:
            print(json.dumps({**entry(trainer), **trainer.texts}), flush=True)


def _in_notebook() -> bool:
    """Whether a cell of a notebook can show a bar that moves, which rich draws with ipywidgets."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return type(shell).__name__ == "ZMQInteractiveShell" and find_spec("ipywidgets") is not None
