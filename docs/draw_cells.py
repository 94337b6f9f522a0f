"""Draws the pictures of lstm.md: the cells, as the page of a model has them, and the influence by distance.

python docs/draw_cells.py
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"
STYLE = """<style>
  path { fill: none; stroke: #5b6470; stroke-width: 1.5 }
  rect, circle { fill: #f4f6f8; stroke: #5b6470; stroke-width: 1.5 }
  text { fill: #1b1f24; font: 14px ui-monospace, monospace; text-anchor: middle }
  .lstm { stroke: #e66101; stroke-width: 2.5 } .rnn { stroke: #0571b0; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) {
    path { stroke: #9aa4ae } rect, circle { fill: #1f242a; stroke: #9aa4ae } text { fill: #e6e9ec }
  }
</style>"""
LEFT, RIGHT, TOP, BOTTOM = 70, 540, 20, 250  # of the curves, in pixels


def cells() -> dict[str, str]:
    """The drawing of each cell, by the name of its file."""
    text = resources.files("minidl.exchange.html").joinpath("drawings.json").read_text(encoding="utf-8")
    return {f"cell_{name.lower()}.svg": _cell(name, parts) for name, parts in json.loads(text).items()}


def _cell(name: str, parts: dict[str, list[Any]]) -> str:
    lines = [f'<path d="{d}"/>' for _, d in parts["lines"]]
    boxes = [f'<rect x="{x - 23}" y="{y - 15}" width="46" height="30" rx="4"/>' for _, x, y, _ in parts["boxes"]]
    circles = [f'<circle cx="{x}" cy="{y}" r="12"/>' for _, x, y, _ in parts["circles"]]
    words = [_text(x, y + 5, "tanh" if word == "f" else word) for _, x, y, word in parts["boxes"] + parts["circles"]]
    names = [_text(x, y, label) for label, x, y in parts["numbers"]]
    top = min(y for _, _, y in parts["numbers"]) - 24
    return _svg(f"{name} cell", 560, 310 - top, [*lines, *boxes, *circles, *words, *names], top)


def influence(shares: dict[str, Sequence[float]]) -> str:
    """Curves on a logarithmic axis: the share of the influence by how many steps lie between."""
    lags = len(next(iter(shares.values())))
    lowest = math.floor(min(math.log10(max(value, 1e-18)) for values in shares.values() for value in values))

    def place(lag: int, value: float) -> tuple[float, float]:
        y = TOP + (BOTTOM - TOP) * math.log10(max(value, 10**lowest)) / lowest
        return LEFT + (RIGHT - LEFT) * lag / (lags - 1), max(TOP, y)

    parts = [f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>']
    for power in range(0, lowest - 1, -4):
        parts.append(_text(LEFT - 30, place(0, 10.0**power)[1] + 5, f"1e{power}"))
    for lag in range(0, lags, 20):
        parts.append(_text(place(lag, 1)[0], BOTTOM + 20, str(lag)))
    for name, values in shares.items():
        points = [place(lag, value) for lag, value in enumerate(values)]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts += [f'<path class="{name.lower()}" d="M{line}"/>', _text(RIGHT - 20, points[-1][1] - 10, name)]
    parts.append(_text((LEFT + RIGHT) / 2, BOTTOM + 42, "steps between"))
    return _svg("influence by distance", 560, 300, parts)


def measured() -> dict[str, Sequence[float]]:
    """What the page itself computes: the examples of lstm.md, run to the place where the shares are known."""
    names: dict[str, Any] = {}
    for example in _examples((DOCS / "lstm.md").read_text(encoding="utf-8")):
        exec(compile(example, "lstm.md", "exec"), names)
        if len(names.get("shares", ())) == 2:
            break
    found: dict[str, Sequence[float]] = {name: values.tolist() for name, values in names["shares"].items()}
    return found


def _examples(page: str) -> Iterator[str]:
    for block in re.findall(r"^```pycon\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        yield "\n".join(line[4:] for line in block.splitlines() if line[:3] in (">>>", "..."))


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:g}" y="{y:g}">{text}</text>'


def _svg(title: str, width: int, height: int, parts: Sequence[str], top: int = 0) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 {top} {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">'
    return "\n".join([head, STYLE, *parts, "</svg>", ""])


if __name__ == "__main__":
    for file, drawing in {**cells(), "gradient_by_lag.svg": influence(measured())}.items():
        (PICTURES / file).write_text(drawing, encoding="utf-8")
