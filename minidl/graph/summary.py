"""The table that `print(model)` shows: a row a node, with its type, output shape, parameters and inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from minidl.graph.arrays import Param, Tied
from minidl.graph.graph import Graph
from minidl.graph.symbol import show

HEAD = ("Node", "Layer", "Output shape", "Parameters", "Inputs")


def parameter_count(graph: Graph, name: str) -> int:
    """Trained numbers that a node owns; those it shares are counted where they are owned."""
    if graph.owners[name] != name:
        return 0
    declared = graph.nodes[name].declarations.values()
    return sum(math.prod(item.shape) for item in declared if isinstance(item, Param))


def _row(graph: Graph, name: str) -> tuple[str, str, str, str, str]:
    node, count = graph.nodes[name], parameter_count(graph, name)
    tied = [item.node for item in node.declarations.values() if isinstance(item, Tied)]
    shared = tied or [graph.owners[name]] if graph.owners[name] != name or tied else []
    note = f"{count:,}" + (f" + shared with {', '.join(shared)}" if shared else "")
    return name, type(node.layer).__name__, show(node.shape), note, ", ".join(graph.sources(name))


def _rows(graph: Graph) -> list[tuple[str, ...]]:
    inputs = [(name, "Input", show(node.shape), "0", "") for name, node in graph.inputs.items()]
    return [HEAD, *inputs, *(_row(graph, name) for name in graph.nodes)]


def model_line(graph: Graph) -> str:
    """A graph in one line: what it reads, its layers, what it gives, its size."""
    total = sum(parameter_count(graph, name) for name in graph.nodes)
    layers = " > ".join(type(node.layer).__name__ for node in graph.nodes.values())
    return f"{', '.join(graph.inputs)} > {layers}, gives {', '.join(graph.results)}, {total:,} parameters"


def model_table(graph: Graph) -> str:
    """The table of a graph as text."""
    rows = _rows(graph)
    *widths, _ = (max(len(row[i]) for row in rows) for i in range(len(HEAD)))
    widths.append(0)  # nothing stands behind the inputs, of which one node may have thousands
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = "─" * max(len(line) for line in lines)
    total = sum(parameter_count(graph, name) for name in graph.nodes)
    return "\n".join([lines[0], rule, *lines[1:], rule, f"{total:,} parameters"])


def model_html(graph: Graph) -> str:
    """The table of a graph as HTML, for notebooks."""
    total = sum(parameter_count(graph, name) for name in graph.nodes)
    return html_table([*_rows(graph), ("", "", "", f"{total:,}", "")])


def cell_text(value: Any) -> str:
    """What a cell of a table shows: nothing for None, five digits of a number.

    >>> cell_text(None), cell_text(0.1234567), cell_text("done")
    ('', '0.12346', 'done')
    """
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as an HTML table, the first of which is the head; cells are text and never markup.

    >>> html_table([["<a>"], ["1"]])
    '<table><tr><th>&lt;a&gt;</th></tr><tr><td>1</td></tr></table>'
    """
    lines = (
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(["th", *["td"] * len(rows)], rows, strict=False)
    )
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
