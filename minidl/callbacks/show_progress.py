"""ShowProgress: a run as its user sees it; a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from minidl.callbacks.base import Callback

if TYPE_CHECKING:
    from rich.progress import Progress

    from minidl.trainer import Trainer


@dataclass(eq=False)
class ShowProgress(Callback):
    """Shows steps, speed, time left, loss, validation on stderr; samples, and with `as_json` each record, on stdout."""

    as_json: bool = field(default=False, kw_only=True)

    order = Callback.WRITE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._bar: Progress | None = None
        self._task: Any = None
        self._validation = ""

    def start(self, trainer: Trainer) -> None:
        """Open the bar."""
        if not sys.stderr.isatty() or self.as_json:
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = "[bold]{task.description}", BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[numbers]}")
        self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), redirect_stdout=False)
        self._task = self._bar.add_task("training", total=trainer.total_steps, numbers="")
        self._bar.start()

    def step(self, trainer: Trainer) -> None:
        """Show what is new."""
        record = trainer.record
        if "val/loss" in record:
            self._validation = f"val {record['val/loss']:.3f}"
        if self._bar is not None:
            self._bar.update(self._task, completed=trainer.progress.step, total=trainer.total_steps)
            if "train/loss" in record:
                self._bar.update(self._task, numbers=_numbers(record, self._validation))
        elif record and not self.as_json:
            print(_line(trainer), file=sys.stderr, flush=True)
        if self.as_json:
            self._say_json(trainer)
        for tag, text in trainer.texts.items():
            self._say(f"\n--- step {trainer.progress.step}, {tag} ---\n{text}")

    def finish(self, trainer: Trainer, *, completed: bool) -> None:
        """Show the end."""
        self.step(trainer)

    def close(self, trainer: Trainer) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()

    def _say(self, text: str) -> None:
        if self.as_json:
            return
        if self._bar is not None and sys.stdout.isatty():
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, flush=True)

    def _say_json(self, trainer: Trainer) -> None:
        if trainer.record or trainer.texts:
            entry = {"step": trainer.progress.step, "epoch": round(trainer.epoch, 6), **trainer.record, **trainer.texts}
            print(json.dumps(entry), flush=True)


def _numbers(record: dict[str, float], validation: str) -> str:
    speed = record["train/tokens_per_second"]
    return f"loss {record['train/loss']:.3f}  {validation}  {speed / 1000:.1f}k tokens/s".replace("    ", "  ")


def _line(trainer: Trainer) -> str:
    shown = ("train/loss", "val/loss", "test/loss", "train/bits_per_char", "val/bits_per_char", "val/perplexity")
    values = [f"{tag} {trainer.record[tag]:.4f}" for tag in shown if tag in trainer.record]
    if "train/tokens_per_second" in trainer.record:
        values.append(f"{trainer.record['train/tokens_per_second']:.0f} tokens/s")
    total = trainer.total_steps
    return f"step {trainer.progress.step}/{total}  epoch {trainer.epoch:.2f}  {'  '.join(values)}"
