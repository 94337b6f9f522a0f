"""What a run has measured as lines that a person reads: one for each part of the data, guessing beside the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from minidl.training.callback import Run

OF_TRAINING = ("train/loss", "train/bits_per_char", "train/perplexity", "train/unknown")
IN_OTHER_UNITS = {"bits_per_char", "perplexity"}
BASELINE = "val_baseline/"


def lines(trainer: Run) -> dict[str, str]:
    """A line for each part of the data that this step has measured: train, val, test."""
    record = trainer.record
    place = f"step {trainer.progress.step}/{trainer.total_steps}  epoch {trainer.epoch:.2f}"
    found = {"train": [f"{tag} {record[tag]:.4f}" for tag in OF_TRAINING if tag in record]}
    if found["train"]:
        found["train"] += [f"{record['train/tokens_per_second']:.0f} tokens/s", f"{time_left(trainer)} left"]
    for part in ("val", "test"):
        found[part] = [f"{tag} {value:.4f}{_beside(record, tag)}" for tag, value in _measures(record, f"{part}/")]
    return {part: "  ".join([place, *values]) for part, values in found.items() if values}


def baselines(record: Mapping[str, float]) -> str:
    """What guessing without a network achieves, in one line; nothing where it was not measured.

    A loss that is told in other units as well is left out.

    >>> baselines({"val_baseline/accuracy/majority": 0.43, "val_baseline/macro_f1/majority": 0.04})
    'guessing: val/accuracy majority 0.4300; val/macro_f1 majority 0.0400'
    """
    of: dict[str, list[str]] = {}
    for tag, value in _measures(record, BASELINE):
        measure, _, name = tag.removeprefix(BASELINE).partition("/")
        of.setdefault(measure, []).append(f"{name} {value:.4f}")
    if IN_OTHER_UNITS & of.keys():
        del of["loss"]
    return "guessing: " + "; ".join(f"val/{name} {', '.join(values)}" for name, values in of.items()) if of else ""


def time_left(trainer: Run) -> str:
    """Hours, minutes and seconds, if the steps to come take as long as those so far."""
    step, total = trainer.progress.step, trainer.total_steps
    if not step or total is None:
        return "-:--:--"
    return str(timedelta(seconds=round(max(0, total - step) * trainer.progress.seconds / step)))


def _measures(record: Mapping[str, float], prefix: str) -> Iterator[tuple[str, float]]:
    return ((tag, value) for tag, value in record.items() if tag.startswith(prefix))


def _beside(record: Mapping[str, float], tag: str) -> str:
    """What guessing achieves in this measure, where there is one way to guess."""
    prefix = f"{BASELINE}{tag.removeprefix('val/')}/"
    found = list(_measures(record, prefix))
    return f" ({found[0][0].removeprefix(prefix)} {found[0][1]:.4f})" if len(found) == 1 else ""
