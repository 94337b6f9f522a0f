"""Measurements as tables in Markdown, and as plain data."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contestants import GEMM, OWN
from benchmarks.footprint import Footprint
from benchmarks.gemm import products
from benchmarks.harness import Measurement, Result

LIBRARIES = (
    *("minidl", "numpy", "torch", "jax", "jaxlib", "optax"),
    *("keras", "tensorflow", "tensorflow-cpu", "onnxruntime", "openvino"),
)
SPEED = (
    "workload",
    "threads",
    "peer, best setting",
    "1000 tokens/s",
    "spread",
    "products",
    *(f"{name} is" for name in OWN),
    "peak MB",
)
SIZE = ("library", "import s", "import MB", "disk MB", "disk MB with dependencies")


def best(measurement: Measurement) -> list[Result]:
    """One result for each peer: that of its fastest setting."""
    peers: dict[str, Result] = {}
    for result in sorted(measurement.results, key=lambda result: result.seconds):
        peers.setdefault(result.contestant.peer, result)
    return [peers[name] for name in dict.fromkeys(result.contestant.peer for result in measurement.results)]


def summary(measurements: Sequence[Measurement]) -> str:
    """A row for each workload: the speed of minidl at its fastest, and how many times that of each peer it is."""
    peers = list(dict.fromkeys(name for one in measurements for name in by_peer(one) if name not in (*OWN, GEMM)))
    header = [
        "workload",
        "threads",
        "1000 tokens/s",
        *(f"x {peer}" for peer in peers),
        "products",
        "NumPy alone, x torch",
    ]
    return table(header, [summary_row(one, peers) for one in measurements])


def summary_row(measurement: Measurement, peers: Sequence[str]) -> list[str]:
    """minidl at its fastest against the peers, and what it does without compiled kernels."""
    workload, results = measurement.workload, by_peer(measurement)
    own = min((results[name] for name in OWN if name in results), key=lambda result: result.seconds)
    ratios = [f"{results[peer].slower_than(own):.2f}" if peer in results else "" for peer in peers]
    plain = [results[name] for name in ("torch", "minidl-numpy") if name in results]
    return [
        f"{workload.name} {workload.about}",
        str(measurement.threads),
        short(workload.tokens / own.seconds / 1000),
        *ratios,
        f"{1 / own.slower_than(results[GEMM]):.0%}",
        f"{plain[0].slower_than(plain[1]):.2f}" if len(plain) == 2 else "",
    ]


def by_peer(measurement: Measurement) -> dict[str, Result]:
    """The best result of each peer."""
    return {result.contestant.peer: result for result in best(measurement)}


def speed_table(measurements: Sequence[Measurement]) -> str:
    """Throughput of each peer in its best setting, and how many times as fast minidl is."""
    rows = [speed_row(measurement, result) for measurement in measurements for result in best(measurement)]
    return table(SPEED, rows)


def speed_row(measurement: Measurement, result: Result) -> list[str]:
    """One peer on one workload."""
    workload, results = measurement.workload, by_peer(measurement)
    ratios = [f"{result.slower_than(results[name]):.2f} x" if name in results else "" for name in OWN]
    name = "its matrix products alone" if result.contestant.peer == GEMM else str(result.contestant)
    return [
        f"{workload.name} {workload.about}",
        str(measurement.threads),
        name,
        short(workload.tokens / result.seconds / 1000),
        f"{result.spread:.0%}",
        f"{1 / result.slower_than(results[GEMM]):.0%}",
        *ratios,
        f"{result.memory:.0f}",
    ]


def size_table(footprints: Iterable[Footprint]) -> str:
    """Import and installation of each library."""
    rows = [
        [f.framework, f"{f.seconds:.2f}", f"{f.memory:.0f}", f"{f.disk_alone:.1f}", f"{f.disk:.0f}"] for f in footprints
    ]
    return table(SIZE, rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [header, *rows]
    drawn = [f"| {' | '.join(line)} |" for line in lines]
    drawn.insert(1, f"|{'---|' * len(header)}")
    return "\n".join(drawn)


def short(value: float) -> str:
    """Three digits, or all before the point.

    >>> short(1440.3), short(3.14159)
    ('1440', '3.14')
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def notes(measurements: Sequence[Measurement]) -> str:
    """How the table is to be read, and how quiet the machine was."""
    difference = max(one.difference for one in measurements)
    lines = [
        "Peers took turns, a slice each; speeds are medians over the slices, spread is the middle half of them, "
        "and ratios are medians over neighbouring slices. Products: the time of the workload's own matrix products "
        "in NumPy, as a share of the step.",
        f"Losses of five steps from the same weights agree within {difference:.0e}, relative.",
    ]
    return "\n".join([*lines, *(quietness(measurements, threads) for threads in thread_counts(measurements))])


def thread_counts(measurements: Sequence[Measurement]) -> list[int]:
    """The numbers of threads that were tried."""
    return sorted({one.threads for one in measurements})


def quietness(measurements: Sequence[Measurement], threads: int) -> str:
    """How much processor time the peers got; on one thread anything far below 100 % is the machine's doing."""
    results = [result for one in measurements if one.threads == threads for result in one.results]
    share = median(result.processor / result.seconds for result in results) / threads
    return f"Peers on {threads} thread{'s' if threads > 1 else ''} had {share:.0%} of their cores."


def document(measurements: Sequence[Measurement], footprints: Iterable[Footprint]) -> dict[str, Any]:
    """Everything that was measured, for a JSON file."""
    return {
        "machine": machine(),
        "footprints": [asdict(footprint) for footprint in footprints],
        "measurements": [
            {
                "workload": asdict(one.workload),
                "threads": one.threads,
                "difference": one.difference,
                "gflop": sum(product.flops for product in products(one.workload)) / 1e9,
                "results": [result_data(one, result) for result in one.results],
            }
            for one in measurements
        ],
    }


def result_data(measurement: Measurement, result: Result) -> dict[str, Any]:
    """One contestant's slices, and what follows from them."""
    return {
        "peer": result.contestant.peer,
        "setting": result.contestant.setting,
        "tokens_per_second": measurement.workload.tokens / result.seconds,
        "spread": result.spread,
        "slower_than": {str(r.contestant): result.slower_than(r) for r in measurement.results},
        "memory_mb": result.memory,
        "slices": [piece._asdict() for piece in result.slices],
    }


def machine() -> dict[str, Any]:
    """Processor and versions."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": {name: known for name in LIBRARIES if (known := library_version(name))},
    }


def processor() -> str:
    """Its name, where the system tells."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def library_version(name: str) -> str | None:
    """The version of an installed library."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
