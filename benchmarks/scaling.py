"""`python -m benchmarks.scaling`: how the cost of a token grows with T, B, H, V and layers; plots with matplotlib."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report
from benchmarks.__main__ import names
from benchmarks.agreement import Disagreement
from benchmarks.contestants import GEMM, OTHERS, contestants
from benchmarks.harness import PeerFailed, measure
from benchmarks.workloads import WORKLOADS, Workload


class Axis(NamedTuple):
    """A size that varies while those of the base stay."""

    label: str
    field: str
    values: tuple[int, ...]
    base: Workload = WORKLOADS["W3"]


AXES = {
    "T": Axis("window T", "steps", (12, 25, 50, 100, 200)),
    "B": Axis("streams B", "batch", (1, 4, 16, 64, 128)),
    "H": Axis("units H", "units", (32, 64, 128, 256, 512)),
    "V": Axis("symbols V", "symbols", (32, 128, 512, 2048, 8192), replace(WORKLOADS["W3"], embedding=128)),
    "layers": Axis("layers", "layers", (1, 2, 3, 4)),
}


def vary(axis: Axis) -> list[Workload]:
    """The base with each value of one size.

    >>> [workload.layers for workload in vary(AXES["layers"])]
    [1, 2, 3, 4]
    """
    return [replace(axis.base, name=f"{axis.field} {value}", **{axis.field: value}) for value in axis.values]  # type: ignore[arg-type]


def curve(axis: Axis, peers: list[str], threads: int, seconds: float) -> dict[str, list[float]]:
    """Microseconds a token of each peer in its best setting, for each value."""
    curves: dict[str, list[float]] = {}
    for workload in vary(axis):
        measured = measure(workload, threads, contestants(workload, peers, None), seconds)
        for result in report.best(measured):
            curves.setdefault(result.contestant.peer, []).append(result.seconds / workload.tokens * 1e6)
    return curves


def curve_table(axis: Axis, curves: dict[str, list[float]]) -> str:
    """Microseconds a token: a row for each value, a column for each peer."""
    rows = [[str(value), *(report.short(c[i]) for c in curves.values())] for i, value in enumerate(axis.values)]
    return report.table([axis.label, *curves], rows)


def plot(curves: dict[str, dict[str, list[float]]], path: Path) -> None:
    """A panel for each size, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(curves), 4), layout="constrained")
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for panel, (name, peers) in zip(panels, curves.items(), strict=True):
        for peer, costs in peers.items():
            panel.loglog(AXES[name].values, costs, "--" if peer == GEMM else "o-", label=peer)
        panel.set_xlabel(AXES[name].label)
    panels[0].set_ylabel("microseconds a token")
    panels[0].legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print tables, write numbers and plots."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    axes, others = list(AXES), list(OTHERS)
    parser.add_argument("--axes", type=lambda text: names(axes, text), default=axes, metavar=",".join(axes))
    parser.add_argument("--peers", type=lambda text: names(others, text), default=others, metavar=",".join(others))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="of work by each peer on each size")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    arguments = parser.parse_args()
    curves: dict[str, dict[str, Any]] = {}
    for name in arguments.axes:
        try:
            curves[name] = curve(AXES[name], arguments.peers, arguments.threads, arguments.seconds)
        except (Disagreement, PeerFailed) as error:
            sys.exit(str(error))
        print(curve_table(AXES[name], curves[name]), end="\n\n", flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    numbers = {name: {"values": AXES[name].values, "microseconds": peers} for name, peers in curves.items()}
    (arguments.out / "scaling.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    if find_spec("matplotlib") is not None:
        plot(curves, arguments.out / "scaling.png")


if __name__ == "__main__":
    main()
