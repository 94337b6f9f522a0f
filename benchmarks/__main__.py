"""`python -m benchmarks`: minidl and every peer that is installed, side by side; a Markdown table and a JSON file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.agreement import Disagreement
from benchmarks.contestants import OTHERS, contestants, missing
from benchmarks.footprint import footprints
from benchmarks.harness import Measurement, PeerFailed, measure
from benchmarks.workloads import WORKLOADS


def names(known: Sequence[str], text: str) -> list[str]:
    """A list separated by commas, each of them known.

    >>> names(["W1", "W2"], "W2")
    ['W2']
    """
    wanted = [name for name in text.split(",") if name]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} not among {', '.join(known)}")
    return wanted


def thread_counts(text: str) -> list[int]:
    """Positive numbers separated by commas."""
    counts = [int(count) for count in text.split(",")]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError("at least one thread")
    return counts


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    every, others = list(WORKLOADS), list(OTHERS)
    made.add_argument("--workloads", type=lambda text: names(every, text), default=every, metavar="W1,W3")
    made.add_argument("--threads", type=thread_counts, default=[1, 2], metavar="1,2")
    made.add_argument("--peers", type=lambda text: names(others, text), default=others, metavar=",".join(others))
    made.add_argument("--notebook", type=Path, help="text of the notebook that has the original class")
    made.add_argument("--seconds", type=float, default=5.0, help="of work by each peer on each workload")
    made.add_argument("--out", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    return made


def measurements(arguments: argparse.Namespace) -> list[Measurement]:
    """All workloads with all numbers of threads, one after the other."""
    found = []
    for threads in arguments.threads:
        for name in arguments.workloads:
            workload = WORKLOADS[name]
            who = contestants(workload, arguments.peers, arguments.notebook)
            print(f"{name}, {threads} thread(s): {', '.join(map(str, who))}", file=sys.stderr)
            found.append(measure(workload, threads, who, arguments.seconds, arguments.notebook))
    return found


def main() -> None:
    """Measure, print the tables, write them and the numbers behind them."""
    arguments = parser().parse_args()
    for peer in arguments.peers:
        if absent := missing(peer):
            print(f"{peer} is left out: {absent} is not installed", file=sys.stderr)
    try:
        found, sizes = measurements(arguments), footprints(arguments.peers)
    except (Disagreement, PeerFailed) as error:
        sys.exit(str(error))
    parts = [report.summary(found), report.speed_table(found), report.notes(found), report.size_table(sizes)]
    text = "\n\n".join(parts) + "\n"
    print(text, end="")
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "benchmarks.md").write_text(text, encoding="utf-8")
    data = json.dumps(report.document(found, sizes), indent=1)
    (arguments.out / "benchmarks.json").write_text(data + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
