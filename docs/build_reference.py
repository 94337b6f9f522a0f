"""Writes reference.md from the declarations: what every layer, optimizer, schedule, kind of data and section takes.

python docs/build_reference.py
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minidl.config.declared import Declared
from minidl.config.rules import field_notes, type_hints
from minidl.data import Data, Task
from minidl.experiment.build.init_from import InitFrom
from minidl.experiment.build.sections import Log, Patience, Samples, Train
from minidl.graph.layer import Layer
from minidl.layers import Cell
from minidl.layers.loss import Loss
from minidl.optim import Optimizer
from minidl.optim.schedules import Schedule
from minidl.training.average import NonMonotonic
from minidl.training.callback import Every

PAGE = Path(__file__).with_name("reference.md")
BASES: dict[str, tuple[type[Declared], ...]] = {
    "Layers": (Layer, Cell, Loss),
    "Optimizers": (Optimizer,),
    "Schedules": (Schedule,),
}
FAMILIES: dict[str, type[Declared]] = {
    "Layers": Layer,
    "Optimizers": Optimizer,
    "Schedules": Schedule,
    "Data": Data,
    "Tasks of a table": Task,
}
SECTIONS: dict[str, type[Declared]] = {
    "train": Train,
    "train.early_stop": Patience,
    "train.average_weights": NonMonotonic,
    "init_from": InitFrom,
    "log": Log,
    "sample": Samples,
    "an interval, such as evaluate_every": Every,
}


def reference() -> str:
    """The whole page."""
    parts = ["# Reference", "Made from the declarations by `python docs/build_reference.py`."]
    for title, family in FAMILIES.items():
        parts.append(f"## {title}")
        bases = {base.__name__: base for base in BASES.get(title, ())}
        for name, cls in [*bases.items(), *sorted(family.types().items())]:
            parts += [f"### {name}", *_described(cls)]
    parts.append("## Sections of an experiment")
    for name, cls in SECTIONS.items():
        parts += [f"### {name}", *_described(cls)]
    return "\n\n".join(parts) + "\n"


def _described(cls: Any) -> Iterator[str]:
    paragraphs = inspect.cleandoc(cls.__doc__).split("\n\n")
    yield "```text\n" + "\n\n".join(text for text in paragraphs if not text.startswith(">>>")) + "\n```"
    fields = [field for field in dataclasses.fields(cls) if field.init and field.name != "name"]
    if fields:
        notes, hints = field_notes(cls), type_hints(cls)
        rows = [
            f"| `{field.name}` | {_type(hints[field.name])} | {_default(field)} | {notes.get(field.name, '')} |"
            for field in fields
        ]
        yield "\n".join(["| name | type | default | |", "|---|---|---|---|", *rows])


def _type(hint: Any) -> str:
    """A type as people write it, with its range.

    >>> from annotated_types import Gt
    >>> _type(typing.Annotated[int, Gt(0)] | None)
    'int > 0 or none'
    """
    if hint is type(None):
        return "none"
    arguments = typing.get_args(hint)
    if hasattr(hint, "__metadata__"):
        signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
        marks = [
            (sign, getattr(mark, name))
            for mark in hint.__metadata__
            for name, sign in signs.items()
            if hasattr(mark, name)
        ]
        limits = [f" {sign} {value:g}" for sign, value in marks]
        return _type(arguments[0]) + ",".join(limits)
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in arguments).replace("\t", "\\t").replace("|", "\\|")
    if typing.get_origin(hint) is tuple:
        return "list of " + _type(arguments[0])
    if typing.get_origin(hint) is dict:
        return "mapping"
    if arguments:
        return " or ".join(dict.fromkeys(_type(argument) for argument in arguments))
    return {"str": "text", "bool": "true, false"}.get(hint.__name__, hint.__name__)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    if isinstance(field.default, Declared):
        return f"`{ {name: value for name, value in field.default.config().items() if name != 'type'} }`"
    return "" if field.default is None else f"`{field.default!r}`".replace("'\\n'", "newline")


if __name__ == "__main__":
    PAGE.write_text(reference())
