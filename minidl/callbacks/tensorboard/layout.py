"""Which curves share a chart in TensorBoard's Custom Scalars tab."""

from __future__ import annotations

from collections.abc import Iterable

from minidl.callbacks.train_metrics import OF_TRAINING

REACH = {
    "influence by the number of steps between": ["layers/gradient_by_lag/.*"],
    "share of gate values near an end": ["layers/saturation/.*"],
}


def layout(tags: Iterable[str], reach: bool = True) -> dict[str, dict[str, list[str]]]:
    """Category, chart, and its curves as regular expressions, for a run that records these tags.

    reach: whether it records how far back the gradient reaches, and gates at the ends of their range.

    >>> layout(["train/loss", "train/lr"])["train and validation"]
    {'loss': ['train/loss', 'val/loss', 'val_baseline/loss.*']}
    """
    measures = [tag.removeprefix("train/") for tag in tags if tag.startswith("train/")]
    return {
        "train and validation": {
            name.replace("_", " "): [f"train/{name}", f"val/{name}", f"val_baseline/{name}.*"]
            for name in measures
            if name not in OF_TRAINING
        },
        "layers": {
            "length of the gradient": ["layers/grad_norm/.*"],
            "length of the update": ["layers/update_norm/.*"],
            **(REACH if reach else {}),
        },
    }
