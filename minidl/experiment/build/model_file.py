"""Model files: `model: {type: NAME}` is the function `build` in models/NAME.py, the only code that a file can name."""

from __future__ import annotations

import dataclasses
import inspect
import json
import traceback
import typing
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from minidl.config.findings import Checked, Finding, explain
from minidl.config.plain import plain
from minidl.config.rules import STRICT
from minidl.experiment.build.model_package import begin, load
from minidl.graph.layer import Node
from minidl.system.errors import ExperimentError, MinidlError, suggest


@dataclass(frozen=True)
class Builder:
    """The function `build` of a model file."""

    path: Path
    build: Callable[..., Any]

    def call(self, given: Mapping[str, Any], offered: Mapping[str, Any]) -> Checked[tuple[Node | None, dict[str, Any]]]:
        """The node that `build` returns, and its settings with defaults; None, and mistakes, where it does not.

        given: what the file says. offered: inputs and facts of the data, for the parameters that ask for them by name.
        """
        rules = self._rules(given, offered)
        try:
            settings = rules.model_validate_json(json.dumps(given))
        except ValidationError as error:
            for item in explain(error, given, list(rules.model_fields), ()):
                near = "" if item.path[0] in given else suggest(str(item.path[0]), offered)
                yield dataclasses.replace(item, message=f"{item.message}{near}")
            return None, {}
        chosen = {name: getattr(settings, name) for name in (*rules.model_fields, *(settings.model_extra or ()))}
        asked = inspect.signature(self.build).parameters.keys() & offered.keys() - chosen.keys()
        try:
            node = self.build(**{name: offered[name] for name in asked}, **chosen)
        except (Exception, SystemExit) as error:
            yield Finding((), theirs(self.path, error))
            return None, {}
        if not isinstance(node, Node):
            wanted = "what calling the last layer gives"
            yield Finding((), f"build in {self.path} should return a node, {wanted}, got {node!r:.60}")
            return None, {}
        return node, {name: plain(value) for name, value in chosen.items() if _is_plain(value)}

    def _rules(self, given: Mapping[str, Any], offered: Mapping[str, Any]) -> type[BaseModel]:
        """What the file may say: the parameters of `build` but for those that the data fills."""
        parameters = inspect.signature(self.build).parameters
        fields: dict[str, Any] = {}
        for name, parameter in parameters.items():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if name in given or name not in offered:
                default = ... if parameter.default is parameter.empty else parameter.default
                fields[name] = (self._hint(name), default)
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        config = ConfigDict(**{**STRICT, "extra": "allow" if takes_all else "forbid"})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a parameter may have the name of a method of pydantic's
            return create_model("build", __config__=config, **fields)

    def _hint(self, name: str) -> Any:
        try:
            return typing.get_type_hints(self.build, include_extras=True).get(name, Any)
        except Exception:  # an annotation that only a type checker can follow
            return Any


def find_builder(name: Any, folder: Path) -> Path:
    """The file models/NAME.py of a builder: beside the experiment's folder, in it, or in the working folder."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ExperimentError(f"a model's type is the name of a file in models/, such as char_lstm, got {name!r}")
    places = list(dict.fromkeys(place / "models" for place in (folder.parent, folder, Path.cwd())))
    for place in places:
        if (place / f"{name}.py").is_file():
            return place / f"{name}.py"
    known = sorted({path.stem for place in places for path in place.glob("*.py")})
    there_are = f" (there are: {', '.join(known)})" if known else ""
    raise ExperimentError(
        f"there is no model {name!r}{suggest(name, known)}: no {name}.py in {', '.join(map(str, places))}{there_are}; "
        "a chain of layers is written as layers: [...]"
    )


def load_builder(path: Path) -> Builder:
    """The builder in a model file; its layers enter the registry. ExperimentError shows what its code has raised."""
    module = run_file(path)
    build = getattr(module, "build", None)
    if not callable(build):
        near = suggest("build", [name for name, value in vars(module).items() if inspect.isfunction(value)])
        raise ExperimentError(f"{path} should define a function named build, which returns the last node{near}")
    return Builder(path, build)


def run_file(path: Path) -> ModuleType:
    """A file of models/ run anew, with those that it imports; ExperimentError shows what its code has raised."""
    begin(path.parent)
    return _loaded(path)


def load_folder(folder: Path) -> None:
    """All files of a models/ folder, for the layers that they define."""
    begin(folder)
    for path in sorted(folder.glob("*.py")):
        _loaded(path)


def _loaded(path: Path) -> ModuleType:
    try:
        return load(path)
    except (Exception, SystemExit) as error:
        raise ExperimentError(theirs(path, error)) from error


def theirs(path: Path, error: BaseException) -> str:
    """What code of the user's has raised, with the lines of their files that led there."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).parent == path.parent:
        return f"{error.filename}:{error.lineno}: {error.msg}\n  {(error.text or '').strip()}"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == path.parent
    ]
    lines = "".join(f"\n  {frame.filename}:{frame.lineno}: {frame.line}" for frame in frames)
    kind = "" if isinstance(error, MinidlError) else f"{type(error).__name__}: "
    if isinstance(error, SystemExit):
        kind = "it ends the program (SystemExit): "
    return f"{path} fails: {kind}{error}{lines}"


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(plain(value))
    except (TypeError, ValueError):
        return False
    return True
