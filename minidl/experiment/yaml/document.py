"""Experiment files as documents: read, with a line for each refusal, and written so that they read back the same."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import yaml

from minidl.experiment.yaml import scalars
from minidl.experiment.yaml.extends import merge
from minidl.experiment.yaml.loader import read
from minidl.experiment.yaml.source_positions import Document, Mark, Mistake, locator, refuse
from minidl.system.errors import suggest_file

BYTES = 1_000_000  # of a file; an experiment has a few thousand
CHAIN = 10  # files that extend one another
BYTE_ORDER_MARK = "\ufeff"


def parse(text: str, source: str) -> Document:
    """The document in a YAML text; ExperimentError reports all its mistakes with their lines. `extends` stays as it is.

    >>> parse("name: demo\\noptimizer: {lr: 1e-3}", "demo.yaml").tree
    {'name': 'demo', 'optimizer': {'lr': 0.001}}
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    reading = read(text, locator(text, source))
    mistakes = reading.mistakes
    if not mistakes and not isinstance(reading.value, dict):
        what = {type(None): "nothing", list: "a list"}.get(type(reading.value), f"{reading.value!r:.40}")
        message = f"an experiment is made of lines such as 'seed: 0', one for each section; this file holds {what}"
        mistakes = [Mistake(reading.marks[()], message)]
    if mistakes:
        refuse(*mistakes)
    return Document(reading.value, reading.marks, source)


def load(path: str | os.PathLike[str]) -> Document:
    """The document in a file, laid over the files that it extends; raises ExperimentError for all that is wrong."""
    return _load(Path(path), None, ())


def dump(tree: dict[str, Any]) -> str:
    """YAML text that parse() reads back to the same tree, keys in their order.

    >>> print(dump({"name": "1e-3", "lr": 1e-3, "betas": [0.9, 0.99]}), end="")
    name: '1e-3'
    lr: 0.001
    betas:
    - 0.9
    - 0.99
    """
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=sys.maxsize)


def inline(value: Any) -> str:
    """YAML on one line that an override reads back to the same value.

    >>> inline({"type": "SGD", "lr": 1e-1}), inline("1e-3")
    ('{type: SGD, lr: 0.1}', "'1e-3'")
    """
    options: Any = {"sort_keys": False, "allow_unicode": True, "width": sys.maxsize}
    text: str = yaml.dump([value], Dumper=_Dumper, default_flow_style=True, **options)
    return text[1:-2]  # without the brackets of the list, outside of which a text may end with three dots


class _Dumper(yaml.SafeDumper):
    """Quotes what the core schema of YAML 1.2 would read as something else; writes values out instead of aliases."""

    yaml_implicit_resolvers = scalars.resolvers()

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Text with line breaks is double-quoted, for other styles lose those that YAML 1.1 knew besides."""
        one_line = text.splitlines() in ([], [text]) and text != "<<"  # which is refused where it stands bare
        return self.represent_scalar(scalars.TEXT, text, style=None if one_line else '"')


_Dumper.add_representer(str, _Dumper.represent_text)


def _load(path: Path, extended_at: Mark | None, chain: tuple[str, ...]) -> Document:
    document = parse(_decoded(_content(path, extended_at), str(path)), str(path))
    if "extends" not in document.tree:
        return document
    base, mark = document.tree.pop("extends"), document.marks.pop(("extends",))
    chain = (*chain, os.path.abspath(path))
    if not isinstance(base, str) or not base:
        refuse(Mistake(mark, f"extends should be the path of a file, from this file's folder, got {base!r}"))
    if os.path.abspath(path.parent / base) in chain:
        names = " -> ".join(os.path.basename(name) for name in chain)
        refuse(Mistake(mark, f"files extend one another in a circle: {names} -> {os.path.basename(base)}"))
    if len(chain) == CHAIN:
        refuse(Mistake(mark, f"more than {CHAIN} files extend one another"))
    return merge(_load(path.parent / base, mark, chain), document)


def _content(path: Path, extended_at: Mark | None) -> bytes:
    """The bytes of a file; extended_at: where another file names it."""
    place = os.path.abspath(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "a device or a pipe"
            refuse(Mistake(extended_at, f"{place} is {kind}, not an experiment file"))
        if size > BYTES:
            sizes = f"{size:,} bytes long, an experiment at most {BYTES:,}"
            refuse(Mistake(extended_at, f"{place} is {sizes}: is this the data?"))
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        folder = "" if path.parent.is_dir() else f": there is no folder {os.path.dirname(place)}"
        refuse(Mistake(extended_at, f"{place} does not exist{folder}{_near(path)}"))
    except OSError as error:
        refuse(Mistake(extended_at, f"{place} cannot be read: {error.strerror}"))
    except ValueError as error:  # a NUL
        refuse(Mistake(extended_at, f"{str(path)!r} is no name of a file: {error}"))


def _near(path: Path) -> str:
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        return ""
    return suggest_file(path.name, [name for name in names if name != path.name])


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        start, text = error.start, content.decode(errors="replace")
        mark = locator(text, source)(len(content[:start].decode()))
        message = f"byte 0x{content[start]:02x} at offset {start} is not UTF-8: save the file as UTF-8"
        refuse(Mistake(mark, message))
